"""The simulated axis's agency directory (danh bạ đơn vị): who exists, below whom, and which system answers for whom."""

import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_CENTRE = re.compile(r"\d{2}\.(\d{2})\.W\d{2}", re.ASCII)
_COMMUNES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Agency:
    """One unit (đơn vị) of the directory."""

    id: str
    pid: str
    # id of the unit above; empty at the top
    code: str
    name: str
    mail: str = ""
    old_code: str = ""
    # 13-character code of before 2020, written level 4 first; the axis calls it oldCode and code102
    closed: bool = False
    version: int = 1
    # counts the changes
    modified: datetime = datetime(2026, 1, 1, tzinfo=UTC)


class Directory:
    """Agencies by code, with the parent links that say who is below whom."""

    def __init__(self, agencies: Iterable[Agency]) -> None:
        self._by_code: dict[str, Agency] = {}
        self._code_by_id: dict[str, str] = {}
        for agency in agencies:
            self.put(agency)

    def __iter__(self) -> Iterator[Agency]:
        return iter(self._by_code.values())

    def get(self, code: str) -> Agency | None:
        """The agency with exactly this current code; old codes address nobody."""
        return self._by_code.get(code)

    def put(self, agency: Agency) -> None:
        """Add an agency, or replace the one with its code."""
        self._by_code[agency.code] = agency
        self._code_by_id[agency.id] = agency.code

    def line_of(self, code: str) -> Iterator[str]:
        """The agency's code, then its parent's, up to the top; nothing for an unknown code."""
        seen = set()
        agency = self._by_code.get(code)
        while agency is not None and agency.code not in seen:
            seen.add(agency.code)
            yield agency.code
            agency = self._by_code.get(self._code_by_id.get(agency.pid, ""))


def find_roots(system_id: str, directory: Directory) -> tuple[str, ...]:
    """The agencies a system answers for, each with all units below it.

    A system named like an agency answers for that agency; a centre `NN.PP.Wnn` for the province `HPP`; any other
    system starts with none and may register its own.
    """
    if directory.get(system_id) is not None:
        return (system_id,)
    centre = _CENTRE.fullmatch(system_id)
    if centre is not None and directory.get(f"H{centre[1]}") is not None:
        return (f"H{centre[1]}",)
    return ()


def is_centre(system_id: str) -> bool:
    """Whether this names an exchange centre (trục liên thông), which is no addressee."""
    return _CENTRE.fullmatch(system_id) is not None


def draw_agency(code: str, directory: Directory) -> Agency:
    """An invented agency with this code, below the nearest open one whose code is a prefix of it; the id is stable."""
    groups = code.split(".")
    above = (directory.get(".".join(groups[:count])) for count in range(len(groups) - 1, 0, -1))
    parent = next((agency for agency in above if agency is not None and not agency.closed), None)
    return Agency(
        id=uuid.uuid5(uuid.NAMESPACE_OID, code).hex[:24],
        pid="" if parent is None else parent.id,
        code=code,
        name=f"Đơn vị {code}",
        mail=_mail_of(code),
    )


def seed_directory() -> Directory:
    """Two provinces with departments and communes, a ministry, and a province closed by a merger (invented)."""
    directory = Directory([])
    for number, province in (("99", "A"), ("98", "B")):
        _seed_province(directory, f"H{number}", province)
    _add(directory, "G99", "", "Bộ Thử nghiệm")
    _add(directory, "G99.01", "G99", "Văn phòng Bộ Thử nghiệm")
    _add(directory, "G99.02", "G99", "Cục Thử nghiệm số")
    _add(directory, "H97", "", "Ủy ban nhân dân tỉnh C (đã sáp nhập)", closed=True)
    _add(directory, "H97.20", "H97", "Ban Quản lý khu công nghiệp tỉnh C (đã sáp nhập)", closed=True)
    # The successor keeps the closed province's code as its old one: how a client finds it.
    _add(directory, "H98.20", "H98", "Ban Quản lý khu công nghiệp tỉnh B", old_code="000.00.20.H97")
    return directory


def _seed_province(directory: Directory, code: str, letter: str) -> None:
    _add(directory, code, "", f"Ủy ban nhân dân tỉnh {letter}")
    departments = ("Sở Nội vụ", "Sở Tài chính", "Sở Y tế", "Sở Xây dựng")
    for number, name in enumerate(departments, start=1):
        _add(directory, f"{code}.{number:02d}", code, f"{name} tỉnh {letter}")
    _add(directory, f"{code}.01.01", f"{code}.01", f"Chi cục Văn thư - Lưu trữ tỉnh {letter}")
    for number in range(1, _COMMUNES + 1):
        _add(directory, f"{code}.{30 + number}", code, f"Ủy ban nhân dân xã {letter}{number}")


def _add(directory: Directory, code: str, parent: str, name: str, *, old_code: str = "", closed: bool = False) -> None:
    above = directory.get(parent)
    directory.put(
        Agency(
            id=str(sum(1 for _ in directory) + 1),
            pid="" if above is None else above.id,
            code=code,
            name=name,
            mail=_mail_of(code),
            old_code=old_code or _old_form(code),
            closed=closed,
        )
    )


def _mail_of(code: str) -> str:
    return f"{code.lower().replace('.', '-')}@axis.example"


def _old_form(code: str) -> str:
    """`H99.01.05` as `000.05.01.H99`: level 4, 3, 2, 1, zeros for "not at this level"."""
    groups = [*code.split("."), "00", "00", "000"][:3]
    return f"000.{groups[2]}.{groups[1]}.{groups[0]}"
