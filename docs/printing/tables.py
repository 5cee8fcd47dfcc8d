"""What the pages share: the note on top, Markdown tables, and the words under fields, which Python drops."""

import ast
import inspect
from collections.abc import Iterable, Sequence
from textwrap import dedent

NOTE = "<!-- Printed by docs/generate.py; do not edit. -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table and the empty line after it."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines] + [""]


def words_under(kind: type) -> dict[str, str]:
    """The sentence under each field or member of a class, by its name; empty for one that explains itself."""
    (made,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(made, ast.ClassDef)
    words: dict[str, str] = {}
    last = ""
    for line in made.body:
        match line:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                words[name] = ""
                last = name
            case ast.Expr(value=ast.Constant(value=str(text))) if last:
                words[last] = " ".join(text.split())
                last = ""
            case _:
                last = ""
    return words
