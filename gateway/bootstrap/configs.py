"""Settings to the plain values that each part takes; nothing is decided here."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway import xmlsafe
from gateway.adapters.access import Partner, Platform
from gateway.adapters.http import Connection, Timeouts
from gateway.adapters.vxp.config import FetchBy, HashForm, SentList, VxpAccount
from gateway.blobs.s3 import Bucket
from gateway.domain import rules
from gateway.domain.admission import Terms
from gateway.domain.backoff import Backoff
from gateway.domain.circuit import CircuitRules
from gateway.domain.dialect import DIALECTS, NATIONAL, Dialect, StatusContainer, TypePractice
from gateway.domain.ids import AccountName, OrganId, VendorId
from gateway.domain.mandate import VendorSystem
from gateway.domain.packet import Misfit
from gateway.domain.routing import LOCAL, Route, RouteTable
from gateway.domain.signing import AlteredRule, SignaturePolicy, SubmitRule
from gateway.flows.config import (
    AccountPolicy,
    InboundPolicy,
    OnUnknown,
    OutboundPolicy,
    ReceiptAt,
    ReconcilePolicy,
    UpkeepPolicy,
)
from gateway.flows.retention import RetentionPolicy
from gateway.ports import Kept
from gateway.rpc.config import RpcConfig, TlsFiles
from gateway.settings import (
    AccessHeaderSettings,
    AxisSettings,
    BlobSettings,
    LimitSettings,
    PlatformSettings,
    RetentionSettings,
    ServerSettings,
    Settings,
    SoapSettings,
    VxpSettings,
    secret_of,
)

_LEASE = timedelta(seconds=15)
_POLL = timedelta(seconds=1)
_LONGEST_SUBMISSION = timedelta(hours=6)
"""An object that a submission has seen stays at least this long: its signatures are checked before it is accepted."""
_ITEMS_AT_ONCE = 4
_STATUSES_AT_ONCE = 8


def bucket(blobs: BlobSettings) -> Bucket:
    """The bucket that objects are kept in."""
    return Bucket(
        name=blobs.bucket,
        endpoint=blobs.endpoint,
        region=blobs.region,
        access_key_id=blobs.access_key_id,
        secret=secret_of("blobs.secret_access_key", blobs.secret_access_key, blobs.secret_access_key_file),
        ca_pem=blobs.ca_file.read_bytes() if blobs.ca_file else None,
    )


def storage_terms(blobs: BlobSettings) -> Terms:
    """When new work is put off."""
    return Terms(reserve=blobs.reserve_bytes, quota=blobs.quota_bytes)


def rpc_config(settings: Settings) -> RpcConfig:
    """How vendor systems are served."""
    server = settings.server
    return RpcConfig(
        listen=server.listen,
        tls=_tls_files(server),
        loopback_vendor=VendorId(server.plaintext_loopback_vendor) or None,
        attachment_limit=settings.limits.attachment_bytes,
        upload_expiry=timedelta(hours=server.upload_expiry_hours),
    )


def _tls_files(server: ServerSettings) -> TlsFiles | None:
    if server.tls_certificate is None or server.tls_key is None or server.client_ca is None:
        return None
    return TlsFiles(certificate=server.tls_certificate, key=server.tls_key, client_ca=server.client_ca)


def vendor_systems(settings: Settings) -> tuple[VendorSystem, ...]:
    """The vendor systems and their roots."""
    return tuple(
        VendorSystem(
            id=VendorId(vendor.id),
            uri_sans=frozenset(vendor.uri_sans),
            certificate_sha256=frozenset(vendor.certificate_sha256),
            serves=tuple(OrganId(code) for code in vendor.serves),
            acts_for=tuple(OrganId(code) for code in vendor.acts_for),
        )
        for vendor in settings.vendors
    )


def vxp_account(name: str, axis: VxpSettings) -> VxpAccount:
    """One account on the national axis."""
    return VxpAccount(
        name=AccountName(name),
        endpoint=axis.endpoint,
        system_id=axis.system_id,
        secret=secret_of(f"axis.{name}.secret", axis.secret, axis.secret_file),
        timeouts=timeouts(axis),
        hash_form=HashForm(axis.hash_form),
        sent_list=SentList(axis.sent_list),
        fetch=FetchBy(axis.fetch),
        connection=connection(axis),
    )


def connection(axis: AxisSettings) -> Connection:
    """How the account's peer is reached."""
    return Connection(
        tls_ca_file=axis.ca_file,
        client_certificate=axis.client_certificate,
        client_key=axis.client_key,
        proxy=axis.proxy,
    )


def platform(name: str, axis: AxisSettings, given: PlatformSettings) -> Platform:
    """The LGSP platform in front of the account's peer, reached in the same way as the peer."""
    key = f"axis.{name}.platform"
    partner = given.access_header
    return Platform(
        token_url=given.token_url,
        consumer_key=given.consumer_key,
        consumer_secret=secret_of(f"{key}.consumer_secret", given.consumer_secret, given.consumer_secret_file),
        scope=given.scope,
        margin=timedelta(seconds=given.margin_seconds),
        life=timedelta(minutes=given.token_minutes),
        partner=_partner(f"{key}.access_header", partner) if partner else None,
        connection=connection(axis),
        timeouts=timeouts(axis),
    )


def _partner(key: str, given: AccessHeaderSettings) -> Partner:
    return Partner(
        access_key=given.access_key,
        secret_key=secret_of(f"{key}.secret_key", given.secret_key, given.secret_key_file),
        app_name=given.app_name,
        partner_code=given.partner_code,
        partner_code_cus=given.partner_code_cus,
    )


def timeouts(axis: AxisSettings) -> Timeouts:
    """How long calls to the account's peer may take."""
    return Timeouts(
        connect=axis.connect_seconds, read=axis.read_seconds, write=axis.read_seconds, total=axis.total_seconds
    )


def account_policy(name: str, axis: AxisSettings, limits: LimitSettings) -> AccountPolicy:
    """The account as the flows see it."""
    roots = tuple(OrganId(code) for code in axis.agencies)
    return AccountPolicy(
        name=AccountName(name),
        local_roots=frozenset(roots),
        hop=roots[0],
        packet_limit=_packet_limit(axis, limits),
        recipients_per_message=axis.recipients_per_message,
        settling_time=timedelta(seconds=axis.settling_seconds),
        dialect=dialect(axis),
        on_unknown=OnUnknown(axis.on_unknown),
        one_packet=isinstance(axis, SoapSettings),
        max_in_flight=axis.max_in_flight or None,
        divided_codes=frozenset(axis.refused_recipient_codes if axis.refused_recipient == "divide" else ()),
        circuit=CircuitRules(failures=axis.circuit_failures, pause=timedelta(seconds=axis.circuit_pause_seconds)),
    )


def local_policy(settings: Settings) -> AccountPolicy:
    """The route between agencies served here, as the flows see it.

    A repetition is harmless there, so nothing is waited for, held or asked. Packets bear the first account's hop: the
    gateway is one station, whichever way a document takes.
    """
    roots = [OrganId(code) for axis in settings.axis.values() for code in axis.agencies]
    return AccountPolicy(
        name=LOCAL,
        local_roots=frozenset(roots),
        hop=roots[0],
        packet_limit=settings.limits.packet_bytes,
        recipients_per_message=settings.limits.recipients,
        settling_time=timedelta(0),
        dialect=NATIONAL,
        on_unknown=OnUnknown.RESEND,
        divided_codes=frozenset({Misfit.NO_LOCAL_RECIPIENT}),
    )


def route_table(settings: Settings) -> RouteTable:
    """The routes; without any all goes by the first account."""
    given = tuple(
        Route(
            roots=tuple(OrganId(code) for code in route.agencies),
            accounts=tuple(AccountName(name) for name in route.via),
        )
        for route in settings.routes
    )
    return RouteTable(routes=given or (Route(roots=(), accounts=(AccountName(next(iter(settings.axis))),)),))


def directory_accounts(settings: Settings) -> tuple[AccountName, ...]:
    """The accounts whose directories are taken, the first wins."""
    return tuple(AccountName(name) for name in settings.delivery.directory_accounts or list(settings.axis)[:1])


def dialect(axis: AxisSettings) -> Dialect:
    """How the peer wants its packets: a preset, and what the account says otherwise."""
    said: dict[str, Any] = {
        "status_container": axis.status_container and StatusContainer(axis.status_container),
        "zip_rule": axis.zip_rule,
        "type_practice": axis.type_practice and TypePractice(axis.type_practice),
        "additions": axis.additions,
        "receiver_added": axis.receiver_added,
        "priority_five_is_normal": axis.priority_five_is_normal,
    }
    return replace(DIALECTS[axis.dialect], **{name: value for name, value in said.items() if value is not None})


def _packet_limit(axis: AxisSettings, limits: LimitSettings) -> int:
    return min(axis.max_packet_bytes, limits.packet_bytes)


def outbound_policy(settings: Settings) -> OutboundPolicy:
    """How the outbox is worked off."""
    delivery = settings.delivery
    return OutboundPolicy(
        backoff=Backoff(
            first=timedelta(seconds=delivery.first_retry_seconds),
            factor=delivery.retry_factor,
            ceiling=timedelta(seconds=delivery.retry_ceiling_seconds),
            jitter=delivery.retry_jitter,
            give_up_after=timedelta(hours=delivery.give_up_hours),
        ),
        lease_for=_LEASE,
        concurrency=delivery.concurrency,
        poll_interval=_POLL,
        drain_grace=timedelta(seconds=settings.server.drain_seconds),
    )


def inbound_policy(axis: AxisSettings) -> InboundPolicy:
    """How an account's waiting items are taken in."""
    return InboundPolicy(
        poll_interval=timedelta(seconds=axis.poll_seconds),
        concurrency=_ITEMS_AT_ONCE,
        status_concurrency=_STATUSES_AT_ONCE,
    )


def reconcile_policy(axis: AxisSettings) -> ReconcilePolicy:
    """How an account's lists are compared with what is recorded here."""
    return ReconcilePolicy(
        interval=timedelta(minutes=axis.reconcile_minutes) if axis.reconcile_minutes else None,
        window=timedelta(days=axis.reconcile_days),
        settling_time=timedelta(seconds=axis.settling_seconds),
    )


def receipt_at(settings: Settings) -> ReceiptAt:
    """When the sender is told that a document arrived."""
    return ReceiptAt(settings.delivery.receipt)


def upkeep_policy(settings: Settings) -> UpkeepPolicy:
    """How the house is kept."""
    return UpkeepPolicy(
        measure_interval=timedelta(seconds=5),
        clean_interval=timedelta(minutes=10),
        unreferenced_for=max(timedelta(hours=settings.server.upload_expiry_hours), _LONGEST_SUBMISSION),
        orphaned_for=timedelta(hours=24),
        deadline_near=timedelta(hours=settings.delivery.deadline_warning_hours),
    )


def retention_policy(retention: RetentionSettings) -> RetentionPolicy:
    """How long things are kept; packets and statuses go with the documents they came and went for."""
    days = {
        Kept.SENT: ("sent_days", retention.sent_days),
        Kept.RECEIVED: ("received_days", retention.received_days),
        Kept.ITEMS: ("received_days", retention.received_days),
        Kept.STATUSES: ("received_days", retention.received_days),
        Kept.EVENTS: ("events_days", retention.events_days),
    }
    return RetentionPolicy(
        keep={kind: timedelta(days=n) for kind, (_, n) in days.items() if n},
        named={kind: f"{name}={n}" for kind, (name, n) in days.items() if n},
    )


def signature_policy(settings: Settings) -> SignaturePolicy:
    """What follows from signatures."""
    return SignaturePolicy(
        submit=SubmitRule(settings.signatures.submit),
        inbound_altered=AlteredRule(settings.signatures.inbound_altered),
    )


def document_limits(limits: LimitSettings) -> rules.Limits:
    """Counts a submission must keep."""
    return rules.Limits(recipients=limits.recipients, attachments=limits.attachments)


def packet_limits(limits: LimitSettings) -> xmlsafe.Limits:
    """What one packet may cost; the same for the service and the command line."""
    return xmlsafe.Limits(
        attachment=limits.attachment_bytes,
        packet=limits.packet_bytes,
        inflated=limits.inflated_bytes,
        ratio=limits.inflate_ratio,
        attachments=limits.attachments,
        recipients=limits.recipients,
        depth=limits.depth,
        header=limits.header_bytes,
    )
