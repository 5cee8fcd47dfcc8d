"""A packet's header as a light tree by local names; attachment content never enters it."""

from collections.abc import Mapping
from types import MappingProxyType

_SPACE = " \t\r\n"
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Node:
    """One element. "Present but empty" equals absent throughout (edxml.md 1.5)."""

    __slots__ = ("_number", "_pieces", "attributes", "children", "name", "parent", "passed_over", "prefix", "twins")

    def __init__(
        self, name: str, parent: "Node | None", *, prefix: str = "", attributes: Mapping[str, str] = _NO_ATTRIBUTES
    ) -> None:
        """`prefix` and the attributes' names are as typed; `parent` gets a child."""
        self.name = name
        self.prefix = prefix
        self.parent = parent
        self.children: list[Node] = []
        self.passed_over: list[str] = []
        """Local names of the children that are not kept: those of other namespaces, and signatures."""
        self.attributes = attributes
        self._pieces: list[str] = []
        self.twins: dict[str, int] = {}
        """How many children there are of each name."""
        self._number = 1
        """Place among the siblings of the same name."""
        if parent is not None:
            parent.children.append(self)
            self._number = parent.twins[name] = parent.twins.get(name, 0) + 1

    def append(self, text: str) -> None:
        """Add a piece of text."""
        self._pieces.append(text)

    @property
    def typed(self) -> str:
        """The name as typed."""
        return f"{self.prefix}:{self.name}" if self.prefix else self.name

    @property
    def raw(self) -> str:
        """The element's own text as it stands."""
        return "".join(self._pieces)

    @property
    def text(self) -> str:
        """The element's own text without outer white space."""
        return self.raw.strip(_SPACE)

    @property
    def path(self) -> str:
        """Element path from the root; one of several siblings of a name carries its number, from 1."""
        if self.parent is None:
            return self.name
        number = f"[{self._number}]" if self.parent.twins[self.name] > 1 else ""
        return f"{self.parent.path}/{self.name}{number}"

    def is_empty(self) -> bool:
        """True if neither it nor anything below it has text."""
        return not self.text and all(child.is_empty() for child in self.children)

    def all(self, *names: str) -> list["Node"]:
        """The children of these names that are not empty."""
        return [child for child in self.children if child.name in names and not child.is_empty()]

    def first(self, *names: str) -> "Node | None":
        """The first such child."""
        return next((child for child in self.children if child.name in names and not child.is_empty()), None)

    def value(self, *names: str) -> str:
        """The text of the first such child; empty if there is none."""
        found = self.first(*names)
        return "" if found is None else found.text
