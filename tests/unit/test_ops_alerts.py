"""Alerts against a real server: what each kind of webhook gets, what its answer means, what never shows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops import alerts
from ops.alerts import MOST, Kind, Webhook, masked, refused, request, send, text
from ops.condition import Checkup, Finding, State, document
from stacks.problems import SettingsError
from stacks.secrets import url_refusal
from stacks.settings import load

ANSWERS = {
    "/ding": (200, b'{"errcode": 0, "errmsg": "ok"}'),
    "/wecom": (200, b'{"errcode": 0, "errmsg": "ok"}'),
    "/feishu": (200, b'{"code": 0, "msg": "success", "data": {}}'),
    "/feishu-before": (200, b'{"Extra": null, "StatusCode": 0, "StatusMessage": "success"}'),
    "/any": (204, b""),
    "/keyword": (200, b'{"errcode": 310000, "errmsg": "keywords not in content"}'),
    "/unsigned": (200, b'{"code": 19021, "msg": "sign match fail or timestamp is not within one hour"}'),
    "/page": (200, b"<html>log in</html>"),
    "/moved": (302, b""),
    "/broken": (500, b""),
    "/echo": (200, b'{"errcode": 1, "errmsg": "no s3cr3t-token here\\u001b[31m"}'),
    "/deep": (200, b"[" * 60_000),
    "/odd": (200, b'{"errcode": "' + b"9" * 1000 + b'"}'),
}


class Hook(BaseHTTPRequestHandler):
    got: ClassVar[list[tuple[str, str, Any]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        code, said = ANSWERS[urlsplit(self.path).path]
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/any")
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Hook.got.clear()
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def checkup(*reasons: str, state: State = State.UNHEALTHY) -> Checkup:
    findings = tuple(
        Finding(system="gpu", check="app", state=state, reason=reason, hint="look") for reason in reasons
    )
    return Checkup(stack="prod", looked="2026-01-02T03:04:05+00:00", findings=findings)


FOUND = checkup("it does not answer")
SAID = "berth: stack prod is UNHEALTHY (2026-01-02T03:04:05+00:00)\nUNHEALTHY  gpu app: it does not answer"


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        ("dingtalk", "/ding", {"msgtype": "text", "text": {"content": SAID}}),
        ("wecom", "/wecom", {"msgtype": "text", "text": {"content": SAID}}),
        ("feishu", "/feishu", {"msg_type": "text", "content": {"text": SAID}}),
        ("feishu", "/feishu-before", {"msg_type": "text", "content": {"text": SAID}}),
        ("generic", "/any", document(FOUND)),
    ],
)
def test_each_gets_what_it_reads(url: str, kind: Kind, path: str, body: Any) -> None:
    assert send([Webhook(kind=kind, name="alert_ops", url=f"{url}{path}?key=s3cr3t")], FOUND) == []
    assert Hook.got == [(f"{path}?key=s3cr3t", "application/json", body)]


@pytest.mark.parametrize(
    ("kind", "path", "why"),
    [
        ("dingtalk", "/keyword", "code 310000: keywords not in content"),
        ("feishu", "/unsigned", "code 19021: sign match fail or timestamp is not within one hour"),
        ("wecom", "/page", "its answer is no robot's"),
        ("wecom", "/deep", "its answer is no robot's"),
        ("wecom", "/odd", f"code {'9' * 199}…: "),
        ("generic", "/moved", "HTTP 302"),
        ("generic", "/broken", "HTTP 500"),
    ],
)
def test_what_was_not_taken_is_told_without_the_url(
    url: str, kind: Kind, path: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = [
        Webhook(kind=kind, name="alert_bad", url=f"{url}{path}?key=s3cr3t"),
        Webhook(kind="generic", name="alert_gone", url="http://127.0.0.1:1/hook/s3cr3t"),
        Webhook(kind="generic", name="alert_odd", url=f"http://localhost:1/{'s3cr3t' * 9}\x7f"),
        Webhook(kind="generic", name="alert_last", url=f"{url}/any?key=s3cr3t"),
    ]
    assert "s3cr3t" not in repr(hooks)
    missed = send(hooks, FOUND)
    said = capsys.readouterr().err
    assert missed[0] == f"alert {kind} alert_bad (http://127.0.0.1) was not taken: {why}"
    assert missed[1].endswith("alert_gone (http://127.0.0.1) was not taken: no answer (ConnectionError)")
    assert len(missed) == 3 and all(line in said for line in missed) and "s3cr3t" not in said
    # The one after those is told all the same, and nobody follows a redirect with a message.
    assert [path for path, _, _ in Hook.got] == [f"{path}?key=s3cr3t" for path in (path, "/any")]


def test_a_robot_that_repeats_the_token_tells_nobody_else(url: str) -> None:
    (missed,) = send([Webhook(kind="wecom", name="a", url=f"{url}/echo?key=s3cr3t-token")], FOUND)
    assert missed.endswith("was not taken: code 1: no *** here?[31m")
    hook = Webhook(kind="feishu", name="a", url=f"{url}/bot/v2/hook/s3cr3t-token", signature="the-signature")
    assert masked("s3cr3t-token the-signature 19021", hook) == "*** *** 19021"


def test_a_robot_that_answers_drop_by_drop_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and the whole never."""
    monkeypatch.setattr(alerts, "_TOTAL", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            wire, _ = server.accept()
            with wire, suppress(OSError):
                wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
                while True:
                    wire.sendall(b" ")
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        hook = Webhook(kind="wecom", name="slow", url=f"http://127.0.0.1:{server.getsockname()[1]}/")
        (missed,) = send([hook], FOUND)
    assert missed.endswith("no answer in 1 s") and time.monotonic() - began < 5


def test_one_long_line_hides_no_other() -> None:
    found = replace(
        checkup("short"),
        findings=(
            Finding(system="g" * 3000, check="c", state=State.UNHEALTHY, reason="r"),
            *checkup("short").findings,
        ),
    )
    said = text(found).splitlines()
    assert len(said) == 3 and said[1].endswith("…") and said[2] == "UNHEALTHY  gpu app: short"


def test_a_robot_signs_as_its_group_wants() -> None:
    """By each one's description: DingTalk signs in the URL, Feishu in the body, with its text as the key."""
    hook = Webhook(
        kind="dingtalk", name="a", url="https://oapi.dingtalk.com/robot/send?access_token=t", signature="SECk"
    )
    url, body = request(hook, FOUND, now=1700000000.1234)
    query = parse_qs(urlsplit(url).query)
    stamp = "1700000000123"
    made = hmac.new(b"SECk", f"{stamp}\nSECk".encode(), hashlib.sha256).digest()
    assert query == {"access_token": ["t"], "timestamp": [stamp], "sign": [base64.b64encode(made).decode()]}
    assert "+" not in url and body.keys() == {"msgtype", "text"}
    hook = Webhook(
        kind="feishu", name="a", url="https://open.feishu.cn/open-apis/bot/v2/hook/t", signature="k"
    )
    url, body = request(hook, FOUND, now=1700000000.9)
    made = hmac.new(b"1700000000\nk", b"", hashlib.sha256).digest()
    assert url == hook.url and body["timestamp"] == "1700000000"
    assert body["sign"] == base64.b64encode(made).decode() and body["msg_type"] == "text"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300), max_size=80))
def test_a_message_fits_and_says_what_it_leaves_out(reasons: list[str]) -> None:
    found = checkup(*reasons)
    said = text(found)
    assert len(said.encode()) <= MOST + 1
    shown = said.count("\nUNHEALTHY  gpu app: ")
    assert shown == len(reasons) or f"\nand {len(reasons) - shown} more: ./berth health -s prod" in said


def test_the_worst_comes_first() -> None:
    mild, bad = (checkup("r", state=state).findings for state in (State.WARNING, State.UNHEALTHY))
    found = Checkup(
        stack="dev", looked="now", findings=(*mild, *bad, *checkup("r", state=State.HEALTHY).findings)
    )
    words = [line.split()[0] for line in text(found).splitlines()[1:]]
    assert words == ["UNHEALTHY", "WARNING"] and found.state is State.UNHEALTHY


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"errcode": "0"}', b"\xff"])
def test_what_is_no_robots_consent_is_a_refusal(body: bytes) -> None:
    assert refused(body) is not None


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://oapi.dingtalk.com/robot/send?access_token=t", True),
        ("http://127.0.0.1:8000/hook", True),
        ("http://localhost/hook", True),
        ("http://10.1.2.3/hook", True),
        ("http://oapi.dingtalk.com/robot/send", False),
        ("http://[::1]/hook", True),
        ("http://[::ffff:10.1.2.3]/hook", True),
        ("http://[::ffff:8.8.8.8]/hook", False),
        ("http://[::ffff:169.254.169.254]/hook", False),
        ("http://169.254.169.254/hook", False),
        ("http://[fe80::1]/hook", False),
        ("http://0.0.0.0/hook", False),
        ("http://8.8.8.8/hook", False),
        ("ftp://example.com", False),
        ("https://", False),
        ("https://[", False),
        ("https://host:port/", False),
        ("a-strong-generated-value", False),
    ],
)
def test_a_secret_travels_encrypted_or_not_far(url: str, right: bool) -> None:
    refusal = url_refusal(url)
    assert (refusal is None) == right and "/robot" not in str(refusal)


def problems(alerts: Any, **secrets: str) -> list[str]:
    config = {
        "berth:systems": '["gateway"]',
        "berth:images": '{"source": "local"}',
        "berth:alerts": json.dumps(alerts),
        "berth:secrets": json.dumps({"aliyun_access_key": "k" * 20 + "1", **secrets}),
    }
    try:
        load(config, {"berth:secrets"}, stack="dev")
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


HOOK = "https://open.feishu.cn/open-apis/bot/v2/hook/s3cr3t"


@pytest.mark.parametrize(
    ("alerts", "secrets", "words"),
    [
        ([{"kind": "wecom", "url": "alert_ops"}], {"alert_ops": HOOK}, None),
        ([{"kind": "wecom", "url": "alert_ops"}], {}, "berth:secrets.alert_ops: required"),
        ([{"kind": "wecom", "url": "alert_ops"}], {"alert_ops": "http://example.com/s3cr3t"}, "allowed: https://"),
        ([{"kind": "wecom", "url": HOOK}], {}, "berth:alerts[0]"),
        ([{"kind": "wecom", "url": "aliyun_access_key"}], {}, "after alert_"),
        ([{"kind": "wecom", "url": "alert_a", "signature": "alert_b"}], {"alert_a": HOOK}, "signature"),
        ([{"kind": "feishu", "url": "alert_a", "signature": "alert_b"}], {"alert_a": HOOK}, "alert_b: req"),
        ([{"kind": "slack", "url": "alert_a"}], {"alert_a": HOOK}, "slack"),
        ([], {"alert_ops": HOOK}, "no chosen system has such a secret"),
    ],
)  # fmt: skip
def test_what_a_stack_file_may_say(alerts: Any, secrets: dict[str, str], words: str | None) -> None:
    found = problems(alerts, **secrets)
    if words is None:
        assert found == []
    else:
        assert len(found) == 1 and words in found[0], found
        assert "s3cr3t" not in found[0] or "berth:alerts" in found[0]
