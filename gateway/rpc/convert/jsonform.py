"""Domain values as the JSON mapping of the contract's messages (ProtoJSON, lowerCamelCase)."""

from typing import Any

from google.protobuf.json_format import MessageToDict

from gateway.domain.document import Document
from gateway.domain.status import StatusReport
from gateway.rpc.convert.events import status_report_out
from gateway.rpc.convert.outgoing import document_out


def document_json(document: Document) -> dict[str, Any]:
    """The contract's Document; what is empty is absent, as ProtoJSON has it, groups without content included."""
    return _dense(MessageToDict(document_out(document, name="")))


def status_json(report: StatusReport) -> dict[str, Any]:
    """The contract's StatusReport; what is empty is absent."""
    return _dense(MessageToDict(status_report_out(report)))


def _dense(message: dict[str, Any]) -> dict[str, Any]:
    """Without empty groups. Entries of lists stay, since their place has a meaning."""
    dense: dict[str, Any] = {}
    for name, value in message.items():
        kept = value
        if isinstance(value, dict):
            kept = _dense(value)
        elif isinstance(value, list):
            kept = [_dense(each) if isinstance(each, dict) else each for each in value]
        if kept != {}:
            dense[name] = kept
    return dense
