"""`packet build`: a description in JSON, files beside it, a packet."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from gateway.cli.configuration import load
from gateway.cli.printing import refuse, refuse_for, run
from gateway.domain import rules
from gateway.domain.dialect import DIALECTS, NATIONAL
from gateway.domain.errors import ErrorCode
from gateway.domain.packet import PacketDefect
from gateway.rpc.convert.jsonread import DescribedDocument, NotJsonError, read_document
from gateway.translate.edxml.workbench.building import Built, Refused, Terms, Wanted, build
from gateway.xmlsafe import Limits

_DESCRIPTION_LIMIT = 64 * 1024 * 1024
"""Bytes of the JSON; larger files are attached by path."""


def terms(*, dialect: str, config: Path | None, account: str) -> Terms:
    """Limits and dialect, from the configuration and its account where they are named."""
    if dialect and account:
        raise typer.BadParameter("--dialect and --account exclude each other: the account has its own")
    if account and config is None:
        raise typer.BadParameter("--account needs --config")
    if dialect and dialect not in DIALECTS:
        raise typer.BadParameter(f"--dialect: {dialect!r} is none of {', '.join(DIALECTS)}")
    now = datetime.now(tz=UTC)
    if config is None:
        return Terms(limits=Limits(), counts=rules.Limits(), dialect=DIALECTS.get(dialect, NATIONAL), now=now)
    return _configured(config, account, dialect, now)


def _configured(config: Path, account: str, dialect: str, now: datetime) -> Terms:
    from dataclasses import replace  # noqa: PLC0415 - see the package's docstring

    from gateway.bootstrap import configs  # noqa: PLC0415 - see the package's docstring

    settings = load(config)
    limits = configs.packet_limits(settings.limits)
    chosen = DIALECTS.get(dialect, NATIONAL)
    if account:
        if account not in settings.axis:
            raise typer.BadParameter(f"--account: {config} has no [axis.{account}]")
        policy = configs.account_policy(account, settings.axis[account], settings.limits)
        limits, chosen = replace(limits, packet=policy.packet_limit), policy.dialect
    return Terms(limits=limits, counts=configs.document_limits(settings.limits), dialect=chosen, now=now)


def read(file: Path, *, hop: str, as_json: bool) -> Wanted:
    """The document described in a file; ends the command where it is no such description."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_DESCRIPTION_LIMIT + 1)
    except OSError as error:
        refuse("FILE_UNREADABLE", str(file), f"the file cannot be read: {error.strerror}", as_json=as_json)
    if len(data) > _DESCRIPTION_LIMIT:
        message = f"more than {_DESCRIPTION_LIMIT} bytes; name large attachments by path"
        refuse("JSON_TOO_LARGE", str(file), message, as_json=as_json)
    described: object
    try:
        described = read_document(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        refuse("JSON_MALFORMED", str(file), f"no UTF-8 at byte {error.start}", as_json=as_json)
    except NotJsonError as error:
        refuse("JSON_MALFORMED", str(file), str(error), as_json=as_json)
    if not isinstance(described, DescribedDocument):
        wrong = [PacketDefect(code=ErrorCode.INVALID_FIELD, path=v.path, message=v.en) for v in described]
        refuse_for(wrong, json=as_json)
    return Wanted(
        document=described.document,
        sources=tuple(
            each.source if isinstance(each.source, bytes) else file.parent / each.source for each in described.files
        ),
        roles=tuple(each.role for each in described.files),
        hop=hop,
        passed_over=described.passed_over,
    )


def write(wanted: Wanted, output: Path, agreed: Terms) -> Built | Refused:
    """Build the packet. Raises OSError where it cannot be written."""
    return run(build(wanted, output, agreed))
