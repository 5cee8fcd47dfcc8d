"""What a platform's refusal says, whatever form it has: OAuth2 errors, WSO2 faults, HTML pages. Pure."""

import json
import re

_SEEN = 64 * 1024
"""Bytes of a body that are looked at."""
_XML_FAULT = re.compile(r"<(?:\w+:)?(code|message|description|faultcode|faultstring)>([^<]{1,500})<")
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})<", re.IGNORECASE)
_MEMBERS = ("error", "error_description", "code", "message", "description")


def fault_words(body: bytes, content_type: str) -> str:
    """The code and the words of a refusal, in the peer's order of telling; "" where nothing is recognised.

    Forms: `{"error", "error_description"}` (RFC 6749), `{"fault": {"code", "message", "description"}}` or the same
    members at the top (WSO2), `<am:fault>` with them as elements, a SOAP Fault, the title of an HTML page.
    """
    written = body[:_SEEN].decode("utf-8", "replace")
    if "html" in content_type.lower() or written.lstrip()[:64].lower().startswith(("<!doctype html", "<html")):
        title = _TITLE.search(written)
        return f"an HTML page, {title[1].strip()}" if title else "an HTML page"
    if written.lstrip().startswith("<"):
        return ": ".join(said.strip() for _, said in _XML_FAULT.findall(written)[:3])
    try:
        members = json.loads(written)
    except (ValueError, RecursionError):
        return ""
    inner = members.get("fault", members) if isinstance(members, dict) else None
    if not isinstance(inner, dict):
        return ""
    said = (inner.get(name) for name in _MEMBERS)
    return ": ".join(
        str(each) for each in said if isinstance(each, str | int) and not isinstance(each, bool) and each != ""
    )
