"""The eDoc SOAP face: what each of the eight actions does with the axis."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, timezone

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.sandbox.core import WAITING, Item, ItemStatus
from gateway.sandbox.directory import Agency
from gateway.sandbox.faces import AxisFace
from gateway.sandbox.soap import answers, checks
from gateway.sandbox.soap.answers import Answer, Form
from gateway.sandbox.soap.checks import PERMISSION, Problem
from gateway.sandbox.soap.delivery import Delivery
from gateway.sandbox.soap.packing import Attached, attach, read_packet, write_document
from gateway.sandbox.soap.receiving import SOAP_11, BadRequestError, Call, find_content, receive
from gateway.sandbox.soap.scratch import BadBase64Error, Scratch
from gateway.sandbox.soap.traces import Traces
from gateway.sandbox.soap.tree import Node, branch, leaf
from gateway.sandbox.spoiling import SUBMISSION
from gateway.sandbox.streaming import read_chunks
from gateway.xmlsafe import XmlRefusedError

_LOG = logging.getLogger(__name__)
_VIETNAM = timezone(timedelta(hours=7))


@dataclass(frozen=True, kw_only=True, slots=True)
class SoapFace(AxisFace):
    """Turns SOAP calls into calls of the axis and its values into the answers of this dialect."""

    deciding: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call; whatever it cannot understand or do gets the empty envelope, with status 200."""
        try:
            with Scratch(self.spool) as scratch:
                call = await receive(request, scratch)
                return await _send(request, await self._answer_call(call, request, scratch))
        except (BadRequestError, ValueError, HttpProcessingError, web.RequestPayloadError):
            # the last three are aiohttp's words for a body that is not what its headers say
            return await _send(request, answers.envelope("", SOAP_11))
        except ConnectionError:
            # The client has gone: nobody reads this.
            return web.Response()
        except OSError:
            _LOG.exception("sandbox.call_failed")
            return await _send(request, answers.envelope("", SOAP_11))

    async def _answer_call(self, call: Call, request: web.Request, scratch: Scratch) -> Answer:
        if not call.action:
            return answers.envelope("", call.namespace)
        system_id = self._authenticate(call)
        if system_id is None:
            return answers.envelope(call.action, call.namespace, *_refused(call.action, PERMISSION))
        request[SUBMISSION] = call.action in {"SendDocument", "UpdateTraces"}
        if call.action == "GetDocument":
            form = request.headers.get(answers.FORM_HEADER, Form.SWA)
            return await self._get_document(system_id, call, Form(form), scratch)
        acts: Mapping[str, _Act] = {
            "SendDocument": self._send_document,
            "GetPendingDocumentIds": self._list_pending,
            "ConfirmReceived": self._confirm,
            "GetTraces": self._get_traces,
            "UpdateTraces": self._update_traces,
            "CheckPermission": self._check_permission,
            "GetOrganizations": self._list_organizations,
        }
        result = await acts[call.action](system_id, call, scratch)
        problems = [each for each in result if isinstance(each, Problem)]
        children = [each for each in result if isinstance(each, Node)]
        if problems:
            return answers.envelope(call.action, call.namespace, *_refused(call.action, *problems))
        return answers.envelope(call.action, call.namespace, answers.report(), *children)

    def _authenticate(self, call: Call) -> str | None:
        """The system whose static token the call shows: in the body, in KeyInfo, or bare in the SOAP header."""
        keys = (node for node in call.header.below() if node.name == "KeyInfo" and node.first("Token"))
        key = next(keys, Node("KeyInfo"))
        request, author = call.request, call.header.first("MessageHeader", "From") or Node("From")
        organ = request.value("OrganId") or key.value("OrganId") or author.value("OrganId")
        token = request.value("Token") or key.value("Token") or call.header.value("Token")
        return organ if self.axis.knows(organ, token) else None

    async def _send_document(self, system_id: str, call: Call, _scratch: Scratch) -> "_Result":
        message = call.header.first("MessageHeader")
        if message is None:
            return [Problem(code="N.MessageHeader", sentence="MessageHeader: khong duoc de trong")]
        trace = call.header.first("TraceHeaderList") or Node("TraceHeaderList")
        problems = checks.check_document(message, trace, today=self.now().astimezone(_VIETNAM).date())
        attached = _read_references(call)
        problems += [each for each in attached if isinstance(each, Problem)]
        if problems:
            return problems
        sender, document_id = message.value("From", "OrganId"), message.value("DocumentId")

        def judge() -> Problem | None:
            receivers = self.axis.ledger.receivers_of(sender, document_id)
            repeated = receivers is not None and checks.is_new(trace)
            return Problem(code="M.Exist", sentence="Van ban da ton tai") if repeated else None

        pieces = write_document(call.header, [each for each in attached if isinstance(each, Attached)])
        result = await self._delivery.deliver(system_id, pieces, judge=judge)
        return [leaf("DocumentId", result) if isinstance(result, str) else result]

    async def _list_pending(self, system_id: str, _call: Call, _scratch: Scratch) -> "_Result":
        items = self.axis.list_received(system_id, "edoc")
        ids = (leaf("DocumentId", item.doc_id) for item in items if item.status in WAITING)
        return [branch("DocumentIds", *ids)]

    async def _get_document(self, system_id: str, call: Call, form: Form, scratch: Scratch) -> Answer:
        item = self._find_document(system_id, call)
        if item is None or item.status not in WAITING:
            problem = Problem(code="M.GetDocumentCheckAllow", sentence="Van ban khong cho nhan")
            return answers.envelope(call.action, call.namespace, answers.report(problem))
        self.axis.hand_out(system_id, item.doc_id, call.action)
        try:
            packet = await asyncio.to_thread(read_packet, self.spool.path_of(item.packet), scratch)
            boundary = f"axis-{uuid.uuid4().hex}"
            return await asyncio.to_thread(answers.document, call.namespace, packet, form, scratch, boundary=boundary)
        except (XmlRefusedError, BadBase64Error):
            problem = Problem(code="M.edXML", sentence="Goi tin khong doi duoc sang SOAP")
            return answers.envelope(call.action, call.namespace, answers.report(problem))

    async def _confirm(self, system_id: str, call: Call, scratch: Scratch) -> "_Result":
        item = self._find_document(system_id, call)
        if item is None:
            return [Problem(code="M.DocumentId", sentence="Khong tim thay van ban")]
        if item.status in WAITING:
            self.axis.acknowledge(system_id, item.doc_id, ItemStatus.DONE)
            await self._traces.tell_arrived(item, scratch)
        return []

    async def _get_traces(self, system_id: str, call: Call, scratch: Scratch) -> "_Result":
        statuses = await self._traces.list_for(system_id, call.request.value("TimeStamp"), scratch)
        return [statuses] if isinstance(statuses, Problem) else [branch("Traces", *statuses)]

    async def _update_traces(self, system_id: str, call: Call, _scratch: Scratch) -> "_Result":
        problem = await self._traces.update(system_id, call)
        return [] if problem is None else [problem]

    async def _check_permission(self, _system_id: str, _call: Call, _scratch: Scratch) -> "_Result":
        return []

    async def _list_organizations(self, _system_id: str, _call: Call, _scratch: Scratch) -> "_Result":
        code_of = {agency.id: agency.code for agency in self.axis.agencies}
        known = (agency for agency in self.axis.agencies if not agency.closed)
        return [branch("Organizations", *(_organization(agency, code_of.get(agency.pid, "")) for agency in known))]

    def _find_document(self, system_id: str, call: Call) -> Item | None:
        item = self.axis.item_of(system_id, call.request.value("DocumentId"))
        return item if item is not None and item.message_type == "edoc" else None

    @property
    def _delivery(self) -> Delivery:
        return Delivery(
            axis=self.axis, spool=self.spool, now=self.now, rewrite_as=self.rewrite_as, deciding=self.deciding
        )

    @property
    def _traces(self) -> Traces:
        return Traces(delivery=self._delivery)


_Result = Sequence[Node | Problem]
"""What stands in the answer beside the Report, or what the Report complains of."""
_Act = Callable[[str, Call, Scratch], Awaitable[_Result]]


def _refused(action: str, *problems: Problem) -> list[Node]:
    """A failure's children: the Report, and no list; GetTraces keeps an empty one."""
    return [answers.report(*problems), *([branch("Traces")] if action == "GetTraces" else [])]


def _read_references(call: Call) -> list[Attached | Problem]:
    """The attachments a document names, each with its own bytes, or what is wrong with them."""
    manifest = call.body.find("Manifest", "edXMLManifest") or Node("Manifest")
    references = manifest.all("Reference")
    if problem := checks.check_references(references):
        return [problem]
    read: list[Attached | Problem] = []
    for reference in references:
        found = find_content(call, reference)
        if found is None:
            name = reference.value("AttachmentName")
            read.append(Problem(code="N.Attachment", sentence=f"Attachment: khong co noi dung cua {name[:100]}"))
        else:
            read.append(attach(reference, *found))
    paths = [each.content.path for each in read if isinstance(each, Attached) and each.content and each.content.path]
    if len(set(paths)) != len(paths):
        read.append(Problem(code="M.Manifest.Reference", sentence="Reference: hai lan cung mot noi dung"))
    return read


def _organization(agency: Agency, parent: str) -> Node:
    members = (
        ("OrganId", agency.code),
        ("OrganName", agency.name),
        ("OrganIdParent", parent),
        ("Email", agency.mail),
    )
    return branch("Organization", *(leaf(name, text) for name, text in members if text))


async def _send(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Small answers whole; what lies in files is streamed."""
    headers = {"Content-Type": answer.content_type}
    if len(answer.pieces) == 1 and isinstance(answer.pieces[0], bytes):
        return web.Response(body=answer.pieces[0], headers=headers)
    response = web.StreamResponse(headers=headers | {"Content-Length": str(answer.size)})
    await response.prepare(request)
    for piece in answer.pieces:
        if isinstance(piece, bytes):
            await response.write(piece)
            continue
        async for chunk in read_chunks(piece):
            await response.write(chunk)
    return response
