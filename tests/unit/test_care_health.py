"""The health watch: each check against what it looks at, right and wrong; its line and its exit states."""

from __future__ import annotations

import json
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from care import health
from care.checks import Finding, State, look
from pydantic import TypeAdapter, ValidationError

from components.base import Identity
from components.care.checks import AnyCheck
from components.care.watch import HealthWatchSpec, LogRotationSpec, health_spec, rotation_spec
from stacks.certificates import Authority

IDENTITY = Identity(stack="dev", system="gpu", service="healthcheck")
ANSWERS = {
    "/ok": (200, "application/json", b'{"status": "ok"}'),
    "/degraded": (200, "application/json", b'{"status": "degraded"}'),
    "/down": (503, "application/json", b"{}"),
    "/missing": (404, "text/plain", b"no"),
    "/spoken": (200, "application/json", b'{"url": "/audio/hello.wav"}'),
    "/speech": (200, "audio/wav", b"RIFF" + b"\0" * 100),
    "/silence": (200, "application/json", b'{"error": "no voice"}'),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code, kind, body = ANSWERS[self.path]
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def found(check: dict[str, Any]) -> tuple[State, str]:
    """As the component renders it and the image looks at it."""
    made = TypeAdapter(AnyCheck).validate_python({"label": "it", **check})
    finding = look(json.loads(json.dumps(made.plain())))
    return finding.state, finding.text


@pytest.mark.parametrize(
    ("check", "state"),
    [
        ({"kind": "http", "url": "/ok"}, State.HEALTHY),
        ({"kind": "http", "url": "/ok", "slow": "0s"}, State.WARNING),
        ({"kind": "http", "url": "/degraded"}, State.WARNING),
        ({"kind": "http", "url": "/down"}, State.UNHEALTHY),
        ({"kind": "speech", "url": "/speech", "body": {"text": "hello"}}, State.HEALTHY),
        ({"kind": "speech", "url": "/silence", "body": {"text": "hello"}}, State.UNHEALTHY),
        ({"kind": "external", "url": "/missing"}, State.HEALTHY),
        ({"kind": "external", "url": "/down"}, State.WARNING),
    ],
)
def test_what_answers_over_http(url: str, check: dict[str, Any], state: State) -> None:
    assert found({**check, "url": url + check["url"]})[0] == state


def test_speech_that_fails_is_seen_though_what_was_spoken_is_kept() -> None:
    """As the app does: what was said once is answered from a file, whatever has become of the voice."""
    kept: set[str] = set()
    broken = threading.Event()

    class Voice(Handler):
        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
            if text not in kept and broken.is_set():
                self.send_error(500)
                return
            kept.add(text)
            self.path = "/speech"
            self.do_GET()

    with HTTPServer(("127.0.0.1", 0), Voice) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        body = {"text": "All is well at {time}.", "speed": 1}
        assert found({"kind": "speech", "url": url, "body": body})[0] == State.HEALTHY
        broken.set()
        assert found({"kind": "speech", "url": url, "body": body})[0] == State.UNHEALTHY
        server.shutdown()
    (said,) = kept
    assert said.startswith("All is well at 2") and "{" not in said


def test_speech_may_lie_in_a_folder(url: str, tmp_path: Path) -> None:
    check = {"kind": "speech", "url": f"{url}/spoken", "body": {"text": "hello"}, "sounds": str(tmp_path)}
    state, text = found(check)
    assert state == State.UNHEALTHY and "hello.wav" in text
    (tmp_path / "hello.wav").write_bytes(b"RIFF" + b"\0" * 100)
    assert found(check) == (State.HEALTHY, "spoke 104 bytes")
    (tmp_path / "hello.wav").write_bytes(b"RIFF")
    assert found(check)[0] == State.UNHEALTHY


def test_what_is_not_well_is_looked_at_once_more_and_then_in_each_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    states = iter([2, 0, 0, 2, 2, 1, 0])

    def look(check: dict[str, Any]) -> Finding:
        looked.append(1)
        return Finding(State(next(states)), "so")

    monkeypatch.setattr(health, "look", look)
    monkeypatch.setattr(health, "AGAIN", 0)
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    watch = health.Watch({"checks": [{"label": "tts", "every": 25}]})
    # A replaced container is not ill, and what is well rests; what is ill or warns does not.
    for moment, state, count in (
        (0, "HEALTHY", 2),
        (10, "HEALTHY", 2),
        (30, "HEALTHY", 3),
        (40, "HEALTHY", 3),
        (60, "UNHEALTHY", 5),
        (70, "WARNING", 6),
        (80, "HEALTHY", 7),
    ):
        clock[0] = moment
        assert (watch.round()["state"], len(looked)) == (state, count), moment


def test_what_does_not_listen(url: str) -> None:
    port = int(url.rpartition(":")[2])
    assert found({"kind": "port", "host": "localhost", "port": port})[0] == State.HEALTHY
    assert found({"kind": "port", "host": "localhost", "port": 1})[0] == State.UNHEALTHY
    assert found({"kind": "http", "url": "http://localhost:1"})[0] == State.UNHEALTHY
    # Somebody else's outage is not ours.
    assert found({"kind": "external", "url": "http://localhost:1"})[0] == State.WARNING


def test_a_database_is_whole_damaged_gone_or_has_a_long_log(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    check = {"kind": "sqlite", "path": str(path)}
    assert found(check)[0] == State.UNHEALTHY
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE rows(text)")
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.executemany("INSERT INTO rows VALUES (?)", (("x" * 1000,) for _ in range(2000)))
        database.commit()
        assert found(check)[0] == State.HEALTHY
        state, text = found({**check, "max_wal": "1MiB"})
        assert state == State.WARNING and "write-ahead log" in text
    assert found(check)[0] == State.HEALTHY
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 16384)
    assert found(check)[0] == State.UNHEALTHY


def test_audio_files(tmp_path: Path) -> None:
    check = {"kind": "files", "path": str(tmp_path)}
    assert found(check) == (State.HEALTHY, "0 files, 0 MiB")
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "notes.txt").write_bytes(b"")
    assert found(check)[0] == State.HEALTHY
    (tmp_path / "b.mp3").write_bytes(b"")
    state, text = found(check)
    assert state == State.WARNING and "b.mp3" in text
    assert found({**check, "path": str(tmp_path / "none")})[0] == State.UNHEALTHY


def test_recent_errors_are_counted(tmp_path: Path) -> None:
    path, now = tmp_path / "app.log", datetime.now(UTC)
    check = {"kind": "log", "path": str(path), "within": "10m", "warning": 2, "critical": 4}
    assert found(check)[0] == State.HEALTHY

    def line(minutes: int, word: str) -> str:
        return f"{(now - timedelta(minutes=minutes)).isoformat()} {word} something\n"

    path.write_text(line(60, "ERROR") * 9 + line(5, "ERROR") + line(4, "INFO"))
    assert found(check) == (State.HEALTHY, "1 errors in the last 10 minutes")
    with path.open("a") as file:
        file.write(json.dumps({"time": now.isoformat(), "level": "error"}) + "\n")
    assert found(check)[0] == State.WARNING
    with path.open("a") as file:
        file.write(line(0, "FATAL") * 2)
    assert found(check)[0] == State.UNHEALTHY


def test_what_the_host_has_left(tmp_path: Path) -> None:
    for check in ({"kind": "cpu"}, {"kind": "memory"}, {"kind": "disk", "path": str(tmp_path)}):
        state, text = found({**check, "warning": 100, "critical": 100})
        assert state in (State.HEALTHY, State.UNHEALTHY) and "%" in text
    assert found({"kind": "memory", "warning": 1, "critical": 100})[0] == State.WARNING
    assert found({"kind": "memory", "warning": 1, "critical": 1})[0] == State.UNHEALTHY
    assert found({"kind": "memory", "warning": 1, "critical": None})[0] == State.WARNING
    assert found({"kind": "disk", "path": str(tmp_path / "none")})[0] == State.UNHEALTHY


def test_a_certificate_is_seen_as_a_client_sees_it(tmp_path: Path) -> None:
    bundle = Authority.new("tests").issue(["localhost"])
    (tmp_path / "bundle.pem").write_text(bundle)
    blocks = bundle.split("-----BEGIN CERTIFICATE-----")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----" + blocks[-1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "bundle.pem")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        check = {"kind": "certificate", "host": "localhost", "port": server.server_port, "name": "localhost",
                 "authority": str(tmp_path / "ca.pem")}  # fmt: skip
        assert found(check)[0] == State.HEALTHY
        assert found({**check, "warning": 99999, "critical": 1})[0] == State.WARNING
        assert found({**check, "warning": 99999, "critical": 99999})[0] == State.UNHEALTHY
        assert found({**check, "name": "other.example.com"})[0] == State.UNHEALTHY
        state, text = found({**check, "authority": None})
        assert state == State.UNHEALTHY and "no client accepts it" in text
        server.shutdown()


def test_a_round_is_a_line_and_an_exit_state(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "health.log"
    monkeypatch.setattr(health, "_LAST", tmp_path / "last.json")
    monkeypatch.setattr(health, "AGAIN", 0)
    checks: list[dict[str, Any]] = [
        {"label": "app", "kind": "http", "url": f"{url}/ok"},
        {"label": "clouds", "kind": "external", "url": f"{url}/down"},
        {"label": "tts", "kind": "http", "url": f"{url}/down"},
    ]
    for count, state in ((1, State.HEALTHY), (2, State.WARNING), (3, State.UNHEALTHY)):
        spec = HealthWatchSpec(identity=IDENTITY, checks=checks[:count])
        text = health_spec(spec).config[0].files[0].text
        (tmp_path / "health.json").write_text(text)
        monkeypatch.setenv("CARE_HEALTH", str(tmp_path / "health.json"))
        assert health.main(["once", "--json"]) == state
        assert json.loads(capsys.readouterr().out)["state"] == state.name
        settings = json.loads(text)
        line = health.Watch(settings).round()
        health.record(line, str(log))
        assert health.alive(settings) == (1 if state == State.UNHEALTHY else 0)
        assert capsys.readouterr().out.startswith(state.name)
    assert [json.loads(line)["state"] for line in log.read_text().splitlines()] == [one.name for one in State]
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert health.alive(settings) == 1


@pytest.mark.parametrize(
    "checks",
    [
        [],
        [{"label": "a", "kind": "cpu"}, {"label": "a", "kind": "memory"}],
        [{"label": "a", "kind": "cpu", "warning": 99, "critical": 98}],
        [{"label": "A b", "kind": "cpu"}],
        [{"label": "a", "kind": "port", "host": "app", "port": 0}],
        [{"label": "a", "kind": "mood"}],
    ],
)
def test_what_cannot_be_looked_at_is_refused(checks: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError):
        HealthWatchSpec(identity=IDENTITY, checks=checks)


def test_both_run_as_narrow_as_any_service() -> None:
    for made in (
        health_spec(
            HealthWatchSpec(identity=IDENTITY, checks=[{"label": "a", "kind": "cpu"}], authority="PEM")
        ),
        rotation_spec(LogRotationSpec(identity=IDENTITY, user="1001:1001"), ["/logs/1"]),
    ):
        assert made.hardening.read_only_root and not made.hardening.add_capabilities and not made.secrets
    assert made.hardening.user == "1001:1001"
    assert json.loads(made.config[0].files[0].text)["max_size"] == 100 * 2**20
