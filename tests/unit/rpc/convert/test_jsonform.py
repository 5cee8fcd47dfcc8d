"""Domain values as the contract's JSON."""

import json
from dataclasses import replace

from google.protobuf.json_format import ParseDict
from hypothesis import given

from gateway.domain.document import OtherInfo, StaffInfo
from gateway.pb.lgsp.gateway.v1 import document_pb2 as pb
from gateway.pb.lgsp.gateway.v1 import document_service_pb2
from gateway.rpc.convert.jsonform import document_json, status_json
from gateway.rpc.convert.outgoing import document_out
from tests.make import make_document, make_status
from tests.unit.rpc.convert.documents import RECEIVED


def _filled(message):
    """Everything that is set, by full path; groups that hold nothing do not count."""
    found = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            found[field.name] = list(value) if field.is_repeated else value
        elif field.is_repeated:
            found[field.name] = [_filled(each) for each in value]
        elif inner := _filled(value):
            found[field.name] = inner
    return found


@given(document=RECEIVED)
def test_protobuf_reads_the_json_back(document):
    """Whatever a peer sent is JSON that the contract's own parser reads back, every field unchanged."""
    message = ParseDict(json.loads(json.dumps(document_json(document))), pb.Document())
    assert _filled(message) == _filled(document_out(document, name=""))


def test_empty_groups_and_resource_names_are_absent():
    """What holds nothing is not shown, and nothing claims a resource name."""
    shown = document_json(make_document(business_type=0))
    assert "business" not in shown
    assert "name" not in shown
    assert all("name" not in attachment for attachment in shown["attachments"])


def test_unknown_enum_values_are_numbers():
    """A priority outside the list is shown by its number."""
    shown = document_json(replace(make_document(), other_info=OtherInfo(priority=7)))
    assert shown["otherInfo"]["priority"] == 8


def test_a_status_is_the_contracts_report():
    """Code, words, clerk, reporter and time stand in the report's own fields."""
    report = replace(make_status(), description="không rõ", staff_info=StaffInfo(staff="Clerk", department_id="d1"))
    shown = status_json(report)
    assert shown["staffInfo"] == {"staff": "Clerk", "departmentId": "d1"}
    message = ParseDict(shown, document_service_pb2.StatusReport())
    assert message.status_code == report.status_code
    assert message.reporter == report.sender.organ_id
    assert message.timestamp == report.timestamp
    assert message.description == "không rõ"
