"""How the source looks: sizes, names, docstrings, nothing unfinished."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.architecture.source import Function, Module, body_lines, body_of, dotted, functions, modules

GATEWAY = modules("gateway")
SCRIPTS = modules("proto", "deploy", "docs")
TESTS = modules("tests")

LINES = 400
LONG_MODULES = {
    "gateway/store/tables.py": "a list: each table once, with its columns",
}
BODY = 50
LONG_FUNCTIONS = {
    "gateway/observability/metrics.py": "a list: each metric once, with its help text",
}
SHAPELESS = {"utils", "util", "common", "helpers", "helper", "misc", "shared", "base"}


def test_modules_are_short() -> None:
    """A module has at most 400 lines."""
    long = {m.name: m.text.count("\n") for m in (*GATEWAY, *SCRIPTS) if m.text.count("\n") > LINES}
    assert {name: lines for name, lines in long.items() if name not in LONG_MODULES} == {}
    assert LONG_MODULES.keys() <= long.keys(), "an excuse that is no longer needed"


def test_functions_are_short() -> None:
    """A function has at most 50 lines without its docstring."""
    long = {
        f"{module.name}:{function.name}": body_lines(function)
        for module in (*GATEWAY, *SCRIPTS)
        for function in functions(module)
        if body_lines(function) > BODY
    }
    assert {place: lines for place, lines in long.items() if place.rpartition(":")[0] not in LONG_FUNCTIONS} == {}
    assert LONG_FUNCTIONS.keys() <= {place.rpartition(":")[0] for place in long}, "an excuse that is no longer needed"


def test_modules_are_named_after_their_subject() -> None:
    """No module is called by a word that fits everything."""
    assert [m.name for m in GATEWAY if SHAPELESS & set(PurePosixPath(m.name).with_suffix("").parts)] == []


def test_packages_say_what_they_are() -> None:
    """Every package has an __init__ with a docstring."""
    folders = {PurePosixPath(module.name).parent for module in GATEWAY}
    packages = {PurePosixPath(m.name).parent: m for m in GATEWAY if m.name.endswith("/__init__.py")}
    assert folders - packages.keys() == set()
    assert [m.name for m in packages.values() if not ast.get_docstring(m.tree)] == []


def test_every_test_says_what_it_claims() -> None:
    """Each test function has a docstring."""
    silent = [
        f"{module.at(function)}: {function.name}"
        for module in TESTS
        for function in functions(module)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b")


def test_nothing_is_left_for_later() -> None:
    """No reminder of unfinished work stands in the source."""
    left = [
        f"{module.name}:{number}"
        for module in (*GATEWAY, *SCRIPTS, *TESTS)
        for number, line in enumerate(module.text.splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert left == []


def is_abstract(function: Function) -> bool:
    return any(dotted(each).rpartition(".")[2] in {"abstractmethod", "overload"} for each in function.decorator_list)


def does_nothing(function: Function) -> bool:
    return {ast.unparse(statement) for statement in body_of(function)} <= {"pass", "..."}


def protocol_methods(module: Module) -> Iterator[tuple[str, Function]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and "Protocol" in {dotted(base).rpartition(".")[2] for base in node.bases}:
            yield from ((node.name, method) for method in node.body if isinstance(method, Function))


def test_doing_nothing_is_explained() -> None:
    """A function without a body has a docstring that says why nothing is to be done; a Protocol's has none to have."""
    unexplained = [
        f"{module.at(function)}: {function.name}"
        for module in (*GATEWAY, *SCRIPTS)
        for declared in [{method for _, method in protocol_methods(module)}]
        for function in functions(module)
        if does_nothing(function) and not ast.get_docstring(function) and function not in declared
    ]
    assert unexplained == []


def test_ports_are_abstract() -> None:
    """A port's methods are abstract: one that an implementer forgets would silently return None."""
    concrete = [
        f"{module.at(method)}: {protocol}.{method.name}"
        for module in modules("gateway/ports")
        for protocol, method in protocol_methods(module)
        if not is_abstract(method)
    ]
    assert concrete == []


def test_silenced_rules_have_reasons() -> None:
    """A `noqa` names its rules and says on the same line why."""
    marks = re.compile(r"#\s*no[q]a(?!: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)* - \S)", re.IGNORECASE)
    unexplained = [
        f"{module.name}:{number}"
        for module in (*GATEWAY, *SCRIPTS, *TESTS)
        for number, line in enumerate(module.text.splitlines(), start=1)
        if marks.search(line)
    ]
    assert unexplained == []
