"""The axis's eDoc SOAP face (axis.md 9), on any path: Bkav's provincial dialect over the one simulated axis.

Requests are read by local names, whatever their namespaces; answers are written with the prefix edXML bound to the
message namespace. What the facts leave open is this project's own choice, marked (own):

- Inline base64 and XOP hang at `Manifest/Reference/AttachmentContent` (own): base64 text, or `xop:Include`;
  ContentTransferEncoded and AttachmentData are read there too, and `AttachmentEncoded/Attachment` in the body.
- Every answer holds `Report{IsSuccess, ErrorList/Error{Code, Description}}` (own where it succeeds) beside
  `DocumentId`, `DocumentIds/DocumentId`, `Traces/Status` or `Organizations/Organization`.
- GetDocument answers with MessageHeader, TraceHeaderList and Signature in the SOAP header, and
  `GetDocumentResponse{Report, Manifest/Reference}` (own) in the body; parts are base64 text, or what the HTTP header
  `X-Sandbox-Attachments: mtom|inline` asks for (own).
- UpdateTraces takes one Status with the children of edxml.md 1.6, in the SOAP header or below `UpdateTraces` (own).
- A repeated new document is refused with M.Exist and no DocumentId.
"""

from gateway.sandbox.soap.face import SoapFace

__all__ = ["SoapFace"]
