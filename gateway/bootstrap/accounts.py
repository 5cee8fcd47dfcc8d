"""The accounts of a gateway, each with what belongs to it, and the local route beside them."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from gateway.bootstrap import configs
from gateway.bootstrap.axes import OpenAxis, open_axis
from gateway.domain.ids import AccountName
from gateway.flows.config import AccountPolicy
from gateway.flows.routing import SubmissionAccount
from gateway.observability.metrics import Metrics
from gateway.ports import Blobs, Clock
from gateway.settings import Settings
from gateway.translate.edxml.translator import EdxmlTranslator


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account on one axis."""

    axis: OpenAxis
    policy: AccountPolicy
    translator: EdxmlTranslator
    """Speaks the account's dialect."""

    @property
    def for_submission(self) -> SubmissionAccount:
        """What submissions need of it."""
        return SubmissionAccount(policy=self.policy, translator=self.translator)


def open_accounts(
    settings: Settings, *, blobs: Blobs, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> dict[AccountName, Account]:
    """All accounts, in the order of the settings; `stack` closes them. Nothing is asked of any axis yet."""
    opened: dict[AccountName, Account] = {}
    for name, section in settings.axis.items():
        axis = open_axis(name, section, clock=clock, metrics=metrics)
        stack.push_async_callback(axis.aclose)
        policy = configs.account_policy(name, section, settings.limits)
        opened[policy.name] = Account(axis=axis, policy=policy, translator=_translator(settings, policy, blobs))
    return opened


def local_route(settings: Settings, *, blobs: Blobs) -> SubmissionAccount:
    """The route between agencies served here."""
    policy = configs.local_policy(settings)
    return SubmissionAccount(policy=policy, translator=_translator(settings, policy, blobs))


def _translator(settings: Settings, policy: AccountPolicy, blobs: Blobs) -> EdxmlTranslator:
    limits = configs.packet_limits(settings.limits)
    return EdxmlTranslator(blobs=blobs, limits=limits, dialect=policy.dialect)
