"""A real S3 server (moto's, a process of its own) behind a door that can refuse, fail, cut or hang."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from itertools import count

from gateway.blobs.s3 import Bucket
from gateway.sandbox.demo.processes import free_port

_BLOCK = 64 * 1024
_CUT_AFTER = 20
"""Bytes of an answer that a cut lets through: the request was carried out, its answer is unreadable."""


class Door(StrEnum):
    """What a client meets."""

    OPEN = "open"
    REFUSING = "refusing"
    """No connection."""
    FAILING = "failing"
    """503 to everything."""
    FULL = "full"
    """507 to everything."""
    CUTTING = "cutting"
    """The request is carried out, its answer is cut short."""
    HANGING = "hanging"
    """A connection, and then nothing."""


_ANSWERS = {Door.FAILING: "503 Service Unavailable", Door.FULL: "507 Insufficient Storage"}


class S3Server:
    """The server and its door."""

    def __init__(self, backend: int) -> None:
        self._backend = backend
        self._port = free_port()
        self._door = Door.REFUSING
        self._numbers = count(1)
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self.set_door(Door.OPEN)

    @property
    def endpoint(self) -> str:
        """Base URL behind the door."""
        return f"http://127.0.0.1:{self._port}"

    def create(self) -> Bucket:
        """A new empty bucket."""
        name = f"bucket-{next(self._numbers)}"
        self._ask("PUT", f"/{name}")
        return Bucket(
            name=name, endpoint=self.endpoint, region="us-east-1", access_key_id="sandbox", secret="sandbox-secret"
        )

    def unfinished_uploads(self, bucket: Bucket) -> int:
        """Uploads in parts that were neither completed nor aborted."""
        return self._ask("GET", f"/{bucket.name}?uploads").count(b"<UploadId>")

    def put(self, bucket: Bucket, key: str, content: bytes) -> None:
        """An object that somebody else put into the bucket."""
        self._ask("PUT", f"/{bucket.name}/{key}", content)

    def set_door(self, door: Door) -> None:
        """From now on, for what is connected as well."""
        self._door = door
        if door is Door.REFUSING:
            self.close()
        elif self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self._port), backlog=64)
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        self._cut_all()

    def close(self) -> None:
        """Take no connection."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # close() alone does not wake the thread that accepts
            self._listener.close()
            self._listener = None
        self._cut_all()

    def _cut_all(self) -> None:
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        door = self._door
        self._connections.add(client)
        try:
            with client, suppress(OSError):
                if door is Door.HANGING:
                    while client.recv(_BLOCK):
                        pass
                elif answer := _ANSWERS.get(door):
                    _swallow(client)
                    client.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                else:
                    self._forward(client, _CUT_AFTER if door is Door.CUTTING else None)
        finally:
            self._connections.discard(client)

    def _forward(self, client: socket.socket, most: int | None) -> None:
        with socket.create_connection(("127.0.0.1", self._backend)) as server:
            up = threading.Thread(target=_pump, args=(client, server, None), daemon=True)
            up.start()
            _pump(server, client, most)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            up.join()

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Straight to the server, past the door."""
        connection = http.client.HTTPConnection("127.0.0.1", self._backend, timeout=10)
        try:
            connection.request(method, path, body=body, headers={"Host": f"127.0.0.1:{self._backend}"})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == http.HTTPStatus.OK, (method, path, answer.status, content)
            return content
        finally:
            connection.close()


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """A server that answers; at the end it is gone with everything in it."""
    port = free_port()
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true"},
    )
    try:
        _wait_until_it_answers(port, child)
        server = S3Server(port)
        try:
            yield server
        finally:
            server.close()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def _wait_until_it_answers(port: int, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        assert child.poll() is None, "the S3 server ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.05)
        else:
            return


def _pump(source: socket.socket, sink: socket.socket, most: int | None) -> None:
    """Pass bytes on until one side ends, or `most` of them have passed."""
    with suppress(OSError):
        while block := source.recv(_BLOCK if most is None else most):
            sink.sendall(block)
            if most is not None:
                return
        sink.shutdown(socket.SHUT_WR)


def _swallow(client: socket.socket) -> None:
    """Read one request to its end."""
    received = b""
    while b"\r\n\r\n" not in received:
        block = client.recv(_BLOCK)
        if not block:
            return
        received += block
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line.split(b":", 1) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = (int(lines[0][1]) if lines else 0) - len(body)
    while left > 0:
        block = client.recv(_BLOCK)
        if not block:
            return
        left -= len(block)
