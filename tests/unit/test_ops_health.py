"""What the public addresses answer."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ops.health import ask, complaint
from ops.recorded import Door
from stacks.certificates import Authority


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_every_path_is_asked_and_named(server: str) -> None:
    door = Door(system="gateway", url=f"{server}/", paths=("/health", "/behind"))
    good, bad = ask(door)
    assert good.ok and good.url == f"{server}/health"
    assert (bad.url, bad.problem) == (f"{server}/behind", "HTTP 404")


def test_an_address_where_nobody_listens() -> None:
    (answer,) = ask(Door(system="gateway", url="http://127.0.0.1:1", paths=("/health",)))
    assert answer.problem and "refused" in answer.problem


def test_a_door_is_trusted_by_the_authority_that_the_stack_exports(tmp_path: Path) -> None:
    ours, other = Authority.new("ours"), Authority.new("other")
    (tmp_path / "server.pem").write_text(ours.issue(["127.0.0.1"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        url = f"https://127.0.0.1:{server.server_port}"

        def problem(authority: str | None, *, untrusted: bool = False) -> str | None:
            (answer,) = ask(
                Door(system="celery", url=url, paths=("/health",), authority=authority, untrusted=untrusted)
            )
            return answer.problem

        assert problem(ours.certificate) is None
        assert "certificate verify failed" in (problem(other.certificate) or "")
        assert "certificate verify failed" in (problem(None) or "")
        assert problem(None, untrusted=True) is None
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"status": "degraded", "config": "rejected"}', "configuration was rejected"),
        (b'{"status": "degraded"}', 'status "degraded"'),
        *(
            (f'{{"status": {status}}}'.encode(), f"status {status}")
            for status in ('"fail"', '"down"', '"stopping"', '"warn"', '"never heard"', '""', "null", "503")
        ),
        *((f'{{"status": {status}}}'.encode(), None) for status in ('"OK"', '"UP"', '"pass"', "true", "200")),
        (b'{"status": false}', "status false"),
        (b'{"status": {"db": "up"}}', 'status {"db": "up"}'),
        (b'{"jobs": 3}', None),
        (b'{"status": "ok", "config": "current"}', None),
        (b"ok\n", None),
        (b"[]", None),
    ],
)
def test_an_answer_that_complains_is_no_good_one(body: bytes, words: str | None) -> None:
    said = complaint(body)
    assert said is None if words is None else words in str(said)
