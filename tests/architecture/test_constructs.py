"""Who may do what: rules about single expressions. Who may import whom is import-linter's (`make lint`)."""

import ast

import pytest

from tests.architecture.source import Module, Names, modules, uses

GATEWAY = modules("gateway")


def excused(module: Module, places: dict[str, str]) -> bool:
    return any(module.name == place or (place.endswith("/") and module.name.startswith(place)) for place in places)


@pytest.mark.parametrize(
    ("stage", "maker"),
    [
        ("gateway.domain.packet.Sealed", "gateway/translate/"),
        ("gateway.domain.packet.VerifiedDocument", "gateway/security/"),
    ],
)
def test_stages_are_made_in_one_place(stage: str, maker: str) -> None:
    """A packet cannot claim to be sealed or verified unless the part that seals or verifies made it."""
    makers = [
        module.at(node)
        for module in GATEWAY
        for names in [Names.of(module)]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and names.full(node.func) == stage
    ]
    assert makers, f"nobody makes {stage}: has it been renamed?"
    assert [place for place in makers if not place.startswith(maker)] == []


READERS = {
    "gateway/xmlsafe/": "the hardened readers",
    "gateway/sandbox/": "the simulated axis reads with its own reader: sharing ours, it would share our mistakes",
}
HARMLESS = {
    "xml.sax.saxutils.escape": "writes text, reads nothing",
}
PARSING = {
    *("XMLParser", "XMLPullParser", "HTMLParser", "XMLTreeBuilder", "ParserCreate", "make_parser", "parseString"),
    *("fromstring", "fromstringlist", "parse", "iterparse", "XML", "HTML", "XMLID", "XInclude", "XSLT"),
}


def test_xml_is_parsed_in_xmlsafe_alone() -> None:
    """Every other part meets XML only through the hardened readers; lxml's types may be named."""
    offences = [
        f"{module.at(node)}: {full}"
        for module in GATEWAY
        if not excused(module, READERS)
        for node, full in uses(module)
        if full.partition(".")[0] in {"lxml", "xml"} and full.rpartition(".")[2] in PARSING and full not in HARMLESS
    ]
    assert offences == []


CLOCKS = {
    "gateway/bootstrap/": "makes the one Clock that every part is given",
    "gateway/cli/": "commands that judge one file at one instant; the gateway does not run there",
    "gateway/sandbox/": "the simulated axis and the demo stand outside the gateway",
    "gateway/store/clock.py": "counts on from the database's clock by the machine's uptime; what replicas are given",
}
PRESENT = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"),
    *("time.clock_gettime", "time.clock_gettime_ns"),
}


def test_the_present_comes_from_the_clock() -> None:
    """Time is an argument or the injected Clock; time.monotonic measures durations and is free."""
    readings = [
        (module, f"{module.at(node)}: {full}") for module in GATEWAY for node, full in uses(module) if full in PRESENT
    ]
    assert [place for module, place in readings if not excused(module, CLOCKS)] == []
    clock = [place for module, place in readings if module.name.startswith("gateway/bootstrap/")]
    assert len(clock) == 1, clock


ENVIRONMENT = {
    "gateway/settings/": "the environment overrides the file, here and nowhere else",
    "gateway/sandbox/demo/": "starts gateways as child processes and hands its environment on",
}


def test_the_environment_is_read_in_settings() -> None:
    """No part can be configured past the settings."""
    offences = [
        f"{module.at(node)}: {full}"
        for module in GATEWAY
        if not excused(module, ENVIRONMENT)
        for node, full in uses(module)
        if full in {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv"}
    ]
    assert offences == []


NAMELESS = {"Exception", "BaseException", "RuntimeError", "ValueError", "AssertionError", "NotImplementedError"}
"""Others raise these too: whoever catches one catches their errors as well. Expected outcomes are values, refusals are
GatewayError, a part's own trouble is a class of its own, and a broken promise between two lines is an assert.
"""
SPEAKING_FOREIGN = {
    "gateway/settings/": "pydantic's validators say no with ValueError",
    "gateway/xmlsafe/literal.py": "ValueError for who did not ask `carries` first, as json and int do",
}


def test_errors_have_names() -> None:
    """Nothing raises a builtin exception that a handler could not tell from somebody else's."""
    offences = []
    for module in GATEWAY:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Raise) and node.exc is not None and not excused(module, SPEAKING_FOREIGN):
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                if isinstance(raised, ast.Name) and raised.id in NAMELESS:
                    offences.append(f"{module.at(node)}: {raised.id}")
    assert offences == []


@pytest.mark.parametrize("places", [READERS, CLOCKS, ENVIRONMENT, SPEAKING_FOREIGN])
def test_exceptions_to_the_rules_exist(places: dict[str, str]) -> None:
    """A module that is excused from a rule exists: the lists above hold nothing stale."""
    names = [module.name for module in GATEWAY]
    for place in places:
        assert any(name == place or name.startswith(place) for name in names), place
