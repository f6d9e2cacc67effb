"""The browser of the tests, where other tests make and remove networks under it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import docker
import pytest
from playwright.sync_api import Error

from tests.engine.browser import NETWORK_CHANGED, go, page, undisturbed

PAGE = b'<link rel="icon" href="data:,"><h1>here</h1>'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n" + PAGE


class Door:
    """A page by TLS. While `moves` is above 0, a network is made before it answers to a greeting."""

    def __init__(self, client: docker.DockerClient, name: str, folder: Path) -> None:
        certificate, key = folder / "cert.pem", folder / "key.pem"
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
        subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._client, self._name = client, name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.moves = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        with closing(self._listener):
            Thread(target=self._serve, daemon=True).start()
            yield
            self._listener.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(10)
                if self.moves > 0:
                    self.moves -= 1
                    self._client.networks.create(self._name).remove()
                    time.sleep(2)
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(65536)
                    secured.sendall(ANSWER)
        except OSError:
            return  # the browser hung up, as it may


def test_what_a_network_interrupts_is_asked_for_again(
    client: docker.DockerClient, prefix: str, tmp_path: Path
) -> None:
    door = Door(client, prefix, tmp_path)
    with door.open(), page(tmp_path / "home", strict=False) as tab:
        door.moves = 1
        with pytest.raises(Error, match=NETWORK_CHANGED):
            tab.goto(door.url)
        door.moves = 1
        go(tab, door.url)
        assert tab.locator("h1").inner_text() == "here"
        assert door.moves == 0


def test_a_visit_that_a_network_interrupts_is_made_anew(
    client: docker.DockerClient, prefix: str, tmp_path: Path
) -> None:
    door, began = Door(client, prefix, tmp_path), []

    def visit() -> str:
        go(tab, door.url)
        began.append(1)
        door.moves = 1 if len(began) == 1 else 0
        return str(tab.evaluate("fetch('/again').then((answer) => answer.text())"))

    def fails() -> None:
        began.append(1)
        raise AssertionError("of the page's own")

    with door.open(), page(tmp_path / "home", strict=False) as tab:
        assert undisturbed(tab, visit) == PAGE.decode()
        assert len(began) >= 2
        began.clear()
        with pytest.raises(AssertionError, match="of the page's own"):
            undisturbed(tab, fails)
        assert len(began) == 1
