"""A peer's own WSDL."""

import pytest

from gateway.adapters.soap.binding import read_binding
from gateway.adapters.soap.envelopes import WSDL
from gateway.adapters.soap.names import Operation

URL = "http://axis.example/edoc?wsdl"


async def nothing(url):
    return f"{url}: no connection"


def documents(**changes):
    """Ours, served at URL with relative locations."""
    found = {f"http://axis.example/{path.name}": path.read_bytes() for path in WSDL.parent.iterdir()}
    found[URL] = found.pop("http://axis.example/edoc.wsdl")
    for old, new in changes.get("replaced", ()):
        found[URL] = found[URL].replace(old, new)

    async def fetch(url):
        return found.get(url, f"HTTP 404 for {url}")

    return fetch


async def test_ours_is_fit():
    """Our own WSDL has every operation in the form in which it is called, from a file and from a URL."""
    for binding in (await read_binding(str(WSDL), nothing), await read_binding(URL, documents())):
        assert (binding.problems, binding.lacking, binding.actions) == ((), (), {})


async def test_a_missing_operation_is_named():
    """Without SendDocument nothing passes; without CheckPermission all passes, and both are told."""
    names = [
        (f'name="{each}"'.encode(), b'name="Other%d"' % at)
        for at, each in enumerate(("SendDocument", "CheckPermission"))
    ]
    binding = await read_binding(
        URL, documents(replaced=[(b"wsdl:operation " + a, b"wsdl:operation " + b) for a, b in names])
    )
    assert binding.lacking == (Operation.SEND,)
    assert binding.problems == ("the WSDL has no operation SendDocument", "the WSDL has no operation CheckPermission")


async def test_other_actions_and_messages():
    """Another SOAPAction is gone by; another body or style is told."""
    binding = await read_binding(
        URL,
        documents(
            replaced=[
                (b'soapAction="GetTraces"', b'soapAction="urn:GetTraces"'),
                (b'element="GetDocumentRequest"', b'element="GetTraces"'),
            ]
        ),
    )
    assert binding.actions == {Operation.TRACES: "urn:GetTraces"}
    assert binding.problems == ("operation GetDocument wants GetTraces in the body, where GetDocumentRequest is sent",)
    rpc = await read_binding(URL, documents(replaced=[(b'style="document"', b'style="rpc"')]))
    assert "operation SendDocument is of style rpc, not document" in rpc.problems


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'schemaLocation="edoc.xsd"', b'schemaLocation="http://elsewhere.example/edoc.xsd"', "elsewhere"),
        (b'schemaLocation="edoc.xsd"', b'schemaLocation="file:///etc/passwd"', "elsewhere"),
        (b'schemaLocation="edoc.xsd"', b'schemaLocation="gone.xsd"', "HTTP 404"),
        (b"<wsdl:definitions", b"<!DOCTYPE x [<!ENTITY e 'e'>]><wsdl:definitions", "cannot be read"),
        (b"</wsdl:definitions>", b"", "cannot be read"),
    ],
)
async def test_hostile_descriptions(old, new, words):
    """Documents elsewhere are not fetched, entities not taken; each is one problem and no exception."""
    binding = await read_binding(URL, documents(replaced=[(old, new)]))
    (problem,) = binding.problems
    assert words in problem
    assert binding.lacking == ()


async def test_a_peer_that_cannot_be_reached(tmp_path):
    """Then nothing is lacking, so far as is known."""
    for place in (URL, str(tmp_path / "none.wsdl")):
        binding = await read_binding(place, nothing)
        assert len(binding.problems) == 1
        assert binding.lacking == ()
