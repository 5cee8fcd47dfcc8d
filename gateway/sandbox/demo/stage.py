"""The stage of the demo: throwaway PKI, sandbox axis and two provinces, all as processes on loopback."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.sandbox.demo.processes import Child
from gateway.sandbox.demo.province import Province, ProvinceSpec
from gateway.sandbox.demo.vendors import File
from gateway.sandbox.pdf import make_docx, make_pdf, sign_pdf
from gateway.sandbox.pki import VENDOR_URI, Pki, make_pki, write_pki
from gateway.sandbox.serve import SEEDED_SYSTEMS

_START_SECONDS = 60
_SIGNED = Path("files") / "16-UBND-VP.signed.pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs."""

    home: Path
    pki: Pki
    axis_url: str
    control_url: str
    axis: Child
    province_a: Province
    province_b: Province

    def set_fault(self, name: str) -> None:
        """Switch a fault of the axis on."""
        self._control("POST", "/faults", {"name": name})

    def clear_fault(self, name: str) -> None:
        """Switch a fault of the axis off."""
        self._control("DELETE", f"/faults/{name}")

    def records(self) -> list[dict[str, Any]]:
        """The axis's own journal of what it accepted and handed out."""
        found: list[dict[str, Any]] = self._control("GET", "/records")
        return found

    def describe(self) -> list[tuple[str, str]]:
        """What a client needs to connect to the two gateways: labels and values. The story makes the PDF."""
        shown = []
        for letter, province in (("A", self.province_a), ("B", self.province_b)):
            certificate, key = province.vendor_files
            shown += [
                (f"province {letter}", f"{province.address}, serves {province.spec.root} and below"),
                ("client certificate", str(certificate)),
                ("its key", str(key)),
            ]
        return [
            *shown,
            ("CA of both servers", str(self.province_a.servers_ca)),
            ("signed PDF to send", str(self.home / _SIGNED)),
            ("axis control", self.control_url),
            ("logs, configurations, stores", str(self.home)),
        ]

    def make_files(self, *, size: int, now: datetime) -> tuple[File, File, File]:
        """A signed PDF of about `size` bytes, a docx, and the PDF before it was signed. Blocking: call in a thread."""
        signed = self.home / _SIGNED
        folder = signed.parent
        folder.mkdir(exist_ok=True)
        plain = make_pdf(size=size, title="Cong van so 16")
        signed.write_bytes(sign_pdf(plain, signer=self.pki.signer, signed_at=now))
        unsigned = folder / "16-UBND-VP.pdf"
        unsigned.write_bytes(plain)
        annex = folder / "phu-luc.docx"
        annex.write_bytes(make_docx(text="Phụ lục kèm theo công văn số 16"))
        docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        return (
            File(name=signed.name, media_type="application/pdf", path=signed),
            File(name=annex.name, media_type=docx, path=annex),
            File(name=unsigned.name, media_type="application/pdf", path=unsigned),
        )

    def _control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return ask_axis(self.control_url, method, path, body)


def ask_axis(url: str, method: str, path: str, body: Mapping[str, Any] | None = None, *, timeout: float = 10) -> Any:
    """What the control endpoint of a simulated axis answers; waits at most `timeout` seconds. Blocks."""
    request = urllib.request.Request(  # noqa: S310 - the control endpoint that this process started
        url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - as above
        return json.load(answer)


def _lay_out(home: Path, now: datetime) -> Pki:
    home.mkdir(parents=True, exist_ok=True)
    pki = make_pki(now=now)
    write_pki(pki, home / "pki")
    return pki


@asynccontextmanager
async def set_up(home: Path, *, now: datetime, sandbox_options: tuple[str, ...] = ()) -> AsyncIterator[Stage]:
    """Start the axis, write PKI and configurations; the gateways are started by the caller. Stops all at the end."""
    pki = await asyncio.to_thread(_lay_out, home, now)
    async with AsyncExitStack() as stack:
        axis = await Child.start(
            "axis",
            ["sandbox", "--listen", "127.0.0.1:0", "--data", str(home / "axis"), *sandbox_options],
            log=home / "axis.log",
        )
        stack.push_async_callback(axis.stop)
        addresses = await axis.read_json_line(within=_START_SECONDS)
        provinces = [
            Province(
                ProvinceSpec(
                    gateway=f"gateway-{letter}",
                    vendor=f"vendor-{letter}",
                    vendor_uri=f"{VENDOR_URI}vendor-{letter}",
                    root=root,
                    system_id=system.id,
                    secret=system.secret,
                ),
                home=home / f"province-{letter}",
                pki=home / "pki",
                axis_url=addresses["axis"],
            )
            for letter, root, system in zip("ab", ("H99", "H98"), SEEDED_SYSTEMS, strict=True)
        ]
        for province in provinces:
            stack.push_async_callback(province.stop)
        yield Stage(
            home=home,
            pki=pki,
            axis_url=addresses["axis"],
            control_url=addresses["control"],
            axis=axis,
            province_a=provinces[0],
            province_b=provinces[1],
        )
