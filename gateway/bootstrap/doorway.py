"""The door for vendor systems that speak the national SDK, made of the same parts as the gRPC listener."""

from datetime import timedelta

from gateway.bootstrap import configs, loops
from gateway.bootstrap.parts import Parts
from gateway.domain.dialect import NATIONAL
from gateway.domain.ids import VendorId
from gateway.door.bodies import Bodies
from gateway.door.config import DoorConfig, DoorTls, DoorVendor
from gateway.door.lists import Lists
from gateway.door.packets import Packets
from gateway.door.sending import Sending
from gateway.door.server import DoorServer, Operations
from gateway.door.units import Registrar, Units
from gateway.flows.directory import DirectorySync
from gateway.flows.statuses import InboxFlow
from gateway.flows.statuspackets import StatusPacketFlow
from gateway.settings import Settings, secret_of
from gateway.translate.edxml.translator import EdxmlTranslator


def door_server(settings: Settings, parts: Parts, sync: DirectorySync) -> DoorServer | None:
    """The listener; None where the settings name no address for it. Raises SettingsError for an empty secret.

    `sync` fetches the directory where a unit was registered, in any role.
    """
    if not settings.door.listen:
        return None
    config = door_config(settings)
    operations = _operations(settings, parts, config, sync)
    return DoorServer(
        config=config, operations=operations, feed=parts.store.feed, clock=parts.clock, metrics=parts.metrics
    )


def door_config(settings: Settings) -> DoorConfig:
    """Settings to plain values."""
    door = settings.door
    tls = None
    if door.tls_certificate is not None and door.tls_key is not None:
        tls = DoorTls(certificate=door.tls_certificate, key=door.tls_key)
    vendors = tuple(
        DoorVendor(
            id=VendorId(vendor.id),
            system_id=vendor.door_system_id,
            secret=secret_of(f"vendors[{i}].door_secret", vendor.door_secret, vendor.door_secret_file),
        )
        for i, vendor in enumerate(settings.vendors)
        if vendor.door_system_id
    )
    return DoorConfig(
        listen=door.listen,
        tls=tls,
        vendors=vendors,
        packet_limit=settings.limits.packet_bytes,
        clock_skew=timedelta(minutes=door.clock_skew_minutes) if door.clock_skew_minutes else None,
    )


def _operations(settings: Settings, parts: Parts, config: DoorConfig, sync: DirectorySync) -> Operations:
    store = parts.store
    translator = EdxmlTranslator(
        blobs=parts.blobs, limits=configs.packet_limits(settings.limits), dialect=NATIONAL
    )  # the form that the SDK writes and reads, whatever the accounts speak
    bodies = Bodies(config=config, blobs=parts.blobs, admission=parts.admission)
    inbox = loops.inbox(settings, parts)
    return Operations(
        sending=_sending(settings, parts, bodies, inbox, translator),
        packets=Packets(
            receptions=store.receptions,
            feed=store.feed,
            inbox=inbox,
            items=store.items,
            directory=store.directory,
            translator=translator,
            blobs=parts.blobs,
            idle=config.idle,
        ),
        lists=Lists(
            receptions=store.receptions,
            feed=store.feed,
            documents=store.documents,
            correspondence=store.correspondence,
            directory=store.directory,
            center=next(iter(parts.accounts.values())).policy.hop,
            idle=config.idle,
        ),
        units=Units(
            bodies=bodies,
            directory=store.directory,
            registrars=[
                Registrar(axis=account.axis, roots=account.policy.local_roots) for account in parts.accounts.values()
            ],
            refresh=sync.sync,
        ),
    )


def _sending(
    settings: Settings, parts: Parts, bodies: Bodies, inbox: InboxFlow, translator: EdxmlTranslator
) -> Sending:
    store = parts.store
    statuses = StatusPacketFlow(
        inbox=inbox,
        receptions=store.receptions,
        correspondence=store.correspondence,
        directory=store.directory,
        clock=parts.clock,
        wakeups=parts.wakeups,
    )
    return Sending(
        bodies=bodies,
        submissions=loops.submissions(settings, parts),
        statuses=statuses,
        translator=translator,
        directory=store.directory,
        blobs=parts.blobs,
        admission=parts.admission,
    )
