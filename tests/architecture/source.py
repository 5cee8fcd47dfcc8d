"""The gateway's source as syntax trees, for rules that linters cannot say."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = "gateway/pb/lgsp/"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One source file."""

    name: str
    """Path from the root, with slashes."""
    text: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        """Where a node stands, for messages."""
        return f"{self.name}:{getattr(node, 'lineno', 1)}"


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """All hand-written Python files below these folders of the project."""
    found = []
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(GENERATED):
            text = path.read_text(encoding="utf-8")
            found.append(Module(name=name, text=text, tree=ast.parse(text)))
    assert found, folders
    return tuple(found)


def functions(module: Module) -> Iterator[Function]:
    """Every function and method, nested ones included."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            yield node


def body_of(function: Function) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    return function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = body_of(function)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def dotted(node: ast.expr) -> str:
    """`a.b.c` as written; empty if the expression is anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""


@dataclass(frozen=True, slots=True)
class Names:
    """What the imports of a module make its names mean."""

    meaning: dict[str, str]

    @classmethod
    def of(cls, module: Module) -> "Names":
        """Read all imports, those inside functions too."""
        meaning: dict[str, str] = {}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    meaning[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    meaning[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return cls(meaning)

    def full(self, node: ast.expr) -> str:
        """The full name of an expression, e.g. `datetime.datetime.now`; empty if it is no name."""
        first, _, rest = dotted(node).partition(".")
        known = self.meaning.get(first, first)
        return f"{known}.{rest}" if rest else known


def uses(module: Module) -> Iterator[tuple[ast.expr, str]]:
    """Every name and attribute of a module with its full name."""
    names = Names.of(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name | ast.Attribute):
            full = names.full(node)
            if full:
                yield node, full
