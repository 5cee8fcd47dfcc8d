"""The throwaway PKI, in real TLS handshakes."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.sandbox.pki import Pki, make_pki, write_pki


@pytest.fixture(scope="module")
def pki() -> Pki:
    return make_pki(now=datetime.now(tz=UTC))


@pytest.fixture
def folder(pki: Pki, tmp_path: Path) -> Path:
    write_pki(pki, tmp_path)
    return tmp_path


async def shake_hands(folder: Path, client: str) -> str:
    """Connect to gateway-a at localhost as a client; gives the URI SAN the server saw, empty when refused."""
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "vendors-ca.pem")
    server_side.verify_mode = ssl.CERT_REQUIRED
    server_side.load_cert_chain(folder / "gateways/gateway-a.pem", folder / "gateways/gateway-a.key.pem")
    client_side = ssl.create_default_context(cafile=folder / "servers-ca.pem")
    client_side.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key.pem")

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("peercert")
        writer.write(str(certificate["subjectAltName"][0][1]).encode())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "localhost", 0, ssl=server_side)
    async with server:
        port = server.sockets[0].getsockname()[1]
        try:
            reader, writer = await asyncio.open_connection("localhost", port, ssl=client_side)
        except (ssl.SSLError, ConnectionError):
            return ""
        try:
            return (await asyncio.wait_for(reader.read(), 5)).decode()
        except (ssl.SSLError, ConnectionError):
            return ""
        finally:
            writer.close()


async def test_vendor_and_gateway_trust_each_other(folder: Path) -> None:
    """A vendor's certificate is accepted by the gateway's CA list, the gateway's name by the vendor."""
    assert await shake_hands(folder, "vendors/vendor-b") == "spiffe://lgsp.example/vendor/vendor-b"


async def test_stranger_is_refused(folder: Path) -> None:
    """A certificate with a vendor's URI from another CA is refused in the handshake."""
    assert await shake_hands(folder, "stranger") == ""


def test_keys_are_private_and_hidden(folder: Path, pki: Pki) -> None:
    """Key files are readable by the owner alone and no key shows in a repr."""
    keys = list(folder.rglob("*.key.pem"))
    assert len(keys) == 8
    assert all(key.stat().st_mode & 0o077 == 0 for key in keys)
    assert "PrivateKey" not in repr(pki)


def test_trust_folder_holds_the_signing_root_alone(folder: Path, pki: Pki) -> None:
    """The folder of anchors knows the signing root and neither the unknown one nor a TLS CA."""
    assert [path.read_bytes() for path in (folder / "trust").iterdir()] == [pki.signing_root.certificate_pem]
    assert pki.signer.chain == (pki.signing_intermediate.certificate,)
    assert pki.unknown_signer.chain == ()
