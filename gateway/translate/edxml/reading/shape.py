"""The packet's outer form: is it ours, where are header and attachments; builds the light tree (edxml.md 1.1, 1.9)."""

from gateway.translate.edxml.codes import NS102, NS_2803, NS_DSIG, NS_GOVN, NS_SOAP
from gateway.translate.edxml.findings import Defect, Findings, Tolerance, refusal
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import Start

OPENING = 64
"""Bytes that `look` wants to see."""

BOM = b"\xef\xbb\xbf"
_UTF16_STARTS = (b"\xff\xfe", b"\xfe\xff", b"\x00")
SIGNATURES = frozenset({"Signature", "DigitalSignature"})
"""Local names of what may stand in edXMLHeader as a signature (edxml.md 3)."""


def look(opening: bytes) -> None:
    """Judge a packet's first OPENING bytes before XML does: MIME and what is no XML at all get a clear answer.

    What looks like UTF-16 is left to the parser, which names it.
    """
    start = opening.removeprefix(BOM).lstrip()
    if start.startswith((b"<", *_UTF16_STARTS)):
        return
    if start.lower().startswith((b"mime-version:", b"content-type:", b"--")):
        raise refusal(Defect.FORMAT_2803, "")
    raise refusal(Defect.NOT_XML, "")


class Shape:
    """Takes events, keeps the elements of QCVN 102 and refuses relatives of the format by name."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._root: Node | None = None
        self._open: list[Node] = []
        self._skipped = 0
        self._root_is_envelope = False

    @property
    def current(self) -> Node:
        """The innermost open element that is kept."""
        return self._open[-1]

    def inside(self, *names: str) -> bool:
        """True if the innermost open elements are these, innermost first, and none of them is skipped."""
        if self._skipped or not self._open or self._open[-1].name != names[0]:
            return False
        return tuple(node.name for node in self._open[: -len(names) - 1 : -1]) == names

    def start(self, event: Start) -> None:
        """An element begins."""
        if self._skipped:
            self._skipped += 1
            return
        namespace, _, local = event.name.rpartition("}")
        namespace = namespace.removeprefix("{")
        if not self._open:
            self._judge_root(namespace, local)
        elif namespace != NS102:
            foreign = namespace != NS_DSIG
            self._pass_over(Tolerance.NAMESPACE_FOREIGN if foreign else Tolerance.SIGNATURE_NOT_VERIFIABLE, local)
            return
        if local == "AVReport" and self._open:
            raise refusal(Defect.NCSC_REPORT, f"{self.current.path}/{local}")
        if local == "edXMLAttachments" and self._open:
            raise refusal(Defect.LAYOUT_EDXML_ATTACHMENTS, f"{self.current.path}/{local}")
        if local in SIGNATURES and self.inside("edXMLHeader"):
            self._pass_over(Tolerance.SIGNATURE_NOT_VERIFIABLE, local)
            return
        parent = self._open[-1] if self._open else None
        node = Node(local, parent, prefix=event.prefix, attributes=event.attributes)
        self._root = self._root or node
        self._open.append(node)

    def text(self, text: str) -> None:
        """Character data of the innermost element."""
        if self._open and not self._skipped:
            self._open[-1].append(text)

    def end(self) -> None:
        """An element ends."""
        if self._skipped:
            self._skipped -= 1
        else:
            self._open.pop()

    def finish(self) -> Node:
        """The root of a whole packet."""
        assert self._root is not None
        if self._root_is_envelope:
            raise refusal(Defect.ROOT_ENVELOPE, self._root.name)
        return self._root

    def attachments(self) -> list[Node]:
        """The Attachment elements that say anything beside their content."""
        assert self._root is not None
        return [node for parent in self._root.all("AttachmentEncoded") for node in parent.all("Attachment")]

    def references(self) -> list[Node]:
        """The References of the manifest."""
        assert self._root is not None
        envelope = self._root.first("edXMLEnvelope")
        body = envelope.first("edXMLBody") if envelope else None
        manifest = body.first("edXMLManifest", "Manifest") if body else None
        if manifest is None:
            return []
        if manifest.name == "Manifest":
            self._findings.add(Tolerance.MANIFEST_NAME, manifest)
        return manifest.all("Reference")

    def _judge_root(self, namespace: str, local: str) -> None:
        if namespace in NS_2803 or namespace in NS_SOAP:
            raise refusal(Defect.FORMAT_2803, local)
        if namespace == NS_GOVN:
            raise refusal(Defect.NAMESPACE_GOVN, local)
        if local == "EdXMLEnvelope":
            raise refusal(Defect.ROOT_CAPITALISED, local)
        self._root_is_envelope = (namespace, local) == (NS102, "edXMLEnvelope")
        if not self._root_is_envelope and (namespace, local) != (NS102, "edXML"):
            raise refusal(Defect.ROOT_UNKNOWN, local, found=f"{{{namespace}}}{local}" if namespace else local)

    def _pass_over(self, code: Tolerance, local: str) -> None:
        self._findings.add(code, self._open[-1], local, what=local)
        self._open[-1].passed_over.append(local)
        self._skipped = 1
