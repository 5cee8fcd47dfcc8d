"""Settings of accounts on provincial axes to what their adapters take."""

from datetime import timedelta

from gateway.adapters.answers import header_safe
from gateway.adapters.langson.config import LangSonAccount
from gateway.adapters.quangnam.config import QuangNamAccount, SecretIn
from gateway.adapters.soap.config import Attachments, SigningKey, SoapAccount, UsernameAccess
from gateway.bootstrap import configs
from gateway.domain.ids import AccountName, OrganId
from gateway.settings import (
    LangSonSettings,
    QuangNamSettings,
    SettingsError,
    SoapSettings,
    UsernameTokenSettings,
    secret_of,
)


def langson_account(name: str, axis: LangSonSettings) -> LangSonAccount:
    """One account on an axis of the Lang Son kind. Raises SettingsError for a secret that cannot be used."""
    return LangSonAccount(
        name=AccountName(name),
        endpoint=axis.endpoint,
        system_id=axis.system_id,
        secret=_header_value(f"axis.{name}.secret", secret_of(f"axis.{name}.secret", axis.secret, axis.secret_file)),
        username=axis.username,
        password=secret_of(f"axis.{name}.password", axis.password, axis.password_file),
        application_code=axis.application_code,
        token_life=timedelta(minutes=axis.token_minutes),
        list_window=timedelta(days=axis.list_days),
        timeouts=configs.timeouts(axis),
        connection=configs.connection(axis),
    )


def quangnam_account(name: str, axis: QuangNamSettings) -> QuangNamAccount:
    """One account on a facade of the Quang Nam kind. Raises SettingsError for a secret that cannot be used."""
    return QuangNamAccount(
        name=AccountName(name),
        endpoint=axis.endpoint,
        secret=_header_value(f"axis.{name}.secret", secret_of(f"axis.{name}.secret", axis.secret, axis.secret_file)),
        secret_name=axis.secret_name,
        secret_in=SecretIn(axis.secret_in),
        timeouts=configs.timeouts(axis),
        connection=configs.connection(axis),
    )


def soap_account(name: str, axis: SoapSettings) -> SoapAccount:
    """One account on an eDoc SOAP axis. Raises SettingsError for a secret that cannot be used."""
    certificate, key = axis.signing_certificate, axis.signing_key
    return SoapAccount(
        name=AccountName(name),
        endpoint=axis.endpoint,
        organ_id=OrganId(axis.organ_id),
        token=_printable(f"axis.{name}.token", secret_of(f"axis.{name}.token", axis.token, axis.token_file)),
        token_header=axis.token_header,
        attachments=Attachments(axis.attachments),
        wsdl=axis.wsdl,
        username=_username(f"axis.{name}.username_token", axis.username_token) if axis.username_token else None,
        signing=SigningKey(certificate=certificate, key=key) if certificate and key else None,
        timeouts=configs.timeouts(axis),
        connection=configs.connection(axis),
    )


def _username(key: str, given: UsernameTokenSettings) -> UsernameAccess:
    password = secret_of(f"{key}.password", given.password, given.password_file)
    return UsernameAccess(
        username=_printable(f"{key}.username", given.username),
        password=_printable(f"{key}.password", password),
        digest=given.digest,
    )


def _printable(key: str, value: str) -> str:
    if not value.isprintable():
        raise SettingsError([f"{key}: has a character that XML cannot carry"])
    return value


def _header_value(key: str, secret: str) -> str:
    if not header_safe(secret):
        raise SettingsError([f"{key}: travels in a header, so it must be printable ASCII"])
    return secret
