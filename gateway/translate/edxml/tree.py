"""A packet's header as a light tree by local names; attachment content never enters it."""

_SPACE = " \t\r\n"


class Node:
    """One element. "Present but empty" equals absent throughout (edxml.md 1.5)."""

    __slots__ = ("_pieces", "attributes", "children", "name", "parent")

    def __init__(self, name: str, parent: "Node | None") -> None:
        self.name = name
        self.parent = parent
        self.children: list[Node] = []
        self.attributes: dict[str, str] = {}
        self._pieces: list[str] = []
        if parent is not None:
            parent.children.append(self)

    def append(self, text: str) -> None:
        """Add a piece of text."""
        self._pieces.append(text)

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
        twins = [child for child in self.parent.children if child.name == self.name]
        number = f"[{next(i for i, twin in enumerate(twins, 1) if twin is self)}]" if len(twins) > 1 else ""
        return f"{self.parent.path}/{self.name}{number}"

    def is_empty(self) -> bool:
        """True if neither it nor anything below it has text."""
        return not self.text and all(child.is_empty() for child in self.children)

    def all(self, *names: str) -> list["Node"]:
        """The children of these names that are not empty."""
        return [child for child in self.children if child.name in names and not child.is_empty()]

    def first(self, *names: str) -> "Node | None":
        """The first such child."""
        return next(iter(self.all(*names)), None)

    def value(self, *names: str) -> str:
        """The text of the first such child; empty if there is none."""
        found = self.first(*names)
        return "" if found is None else found.text
