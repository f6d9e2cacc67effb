"""The program beside certbot: what it asks for, hands over and tells."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.edge import renewal
from components.edge.renewal import Places, Renewal
from components.edge.renewal_files import Certificates, described, placeholder
from components.edge.renewal_plan import Failure, Wish
from components.edge.renewal_request import unreachable
from tests.unit.test_edge import pem
from tests.unit.test_renewal_plan import DAY, DOMAINS, NOW, WISH


def test_a_name_without_an_address_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = unreachable(WISH, tmp_path)
    assert found is not None and not found.asked
    assert found.cause == "audio.example.com does not resolve (Name or service not known)"
    assert not [*(tmp_path / ".well-known/acme-challenge").iterdir()]


def test_a_certificate_is_replaced_whole_and_the_one_before_is_kept(tmp_path: Path) -> None:
    files = Certificates(tmp_path, "public")
    files.hold_place(DOMAINS)
    first = files.current()
    assert first is not None and first.placeholder and first.names == set(DOMAINS)
    one, two = pem(began=NOW - DAY), pem(began=NOW)
    files.place(one, now=NOW)
    assert not files.previous.exists(), "nobody wants the placeholder back"
    files.place(two, now=NOW)
    assert (files.file.read_text(), files.previous.read_text()) == (two, one)
    for wrong in (pem(other_key=True), pem(began=NOW - 60 * DAY), "nothing"):
        with pytest.raises(ValueError, match="; fix: "):
            files.place(wrong, now=NOW)
    assert files.file.read_text() == two
    assert files.file.stat().st_mode & 0o777 == 0o400
    files.hold_place(DOMAINS)
    assert files.file.read_text() == two


class Sealed:
    """A renewal whose requests go to a function."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *answers: Failure | str) -> None:
        self.places = Places(*(folder / it for it in ("certificates", "config", "webroot", "scratch")))
        for place in (self.places.certificates, self.places.config):
            place.mkdir()
        Certificates(self.places.certificates, "public").hold_place(DOMAINS)
        self.answers, self.asked = [*answers], 0
        monkeypatch.setattr(renewal, "unreachable", lambda *_: None)
        monkeypatch.setattr(renewal, "ask", self.ask)
        monkeypatch.setattr(renewal, "_HEALTH", folder / "health.json")
        self.renewal = Renewal(WISH, self.places)

    def ask(self, wish: Wish, **_: object) -> Failure | None:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Failure):
            return answer
        folder = self.places.config / "live" / wish.key
        folder.mkdir(parents=True, exist_ok=True)
        key, begin, rest = answer.partition("-----BEGIN CERT")
        (folder / "privkey.pem").write_text(key)
        (folder / "fullchain.pem").write_text(begin + rest)
        return None

    def health(self) -> str:
        self.renewal.report()
        return str(json.loads((renewal._HEALTH).read_text())["text"])


def test_a_failure_is_kept_and_survives_a_new_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = Sealed(tmp_path, monkeypatch, Failure("it was refused", "do this"), placeholder(DOMAINS))
    for _ in range(3):
        tried.renewal.step()
    assert tried.asked == 1
    text = tried.health()
    assert "no certificate for audio.example.com, www.audio.example.com yet" in text
    assert "the last request failed" in text and "it was refused; fix: do this" in text
    tried.renewal = Renewal(WISH, tried.places)
    tried.renewal.step()
    assert tried.asked == 1 and "it was refused" in tried.health()
    tried.renewal.step(hurry=True)
    assert tried.asked == 2, "who corrected the cause need not wait"


def test_what_was_issued_and_cannot_serve_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = Sealed(tmp_path, monkeypatch, pem(other_key=True, began=datetime.now(UTC) - DAY))
    for _ in range(3):
        tried.renewal.step()
    assert tried.asked == 1, "the same would come again, until a limit is hit"
    assert "the newest certificate cannot serve: its first certificate does not match" in tried.health()
    current = tried.renewal.certificates.current()
    assert current is not None and current.placeholder


def test_a_request_that_was_cut_off_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = Sealed(tmp_path, monkeypatch)

    def stopped(*_: object, **__: object) -> None:
        tried.asked += 1
        raise SystemExit(0)

    monkeypatch.setattr(renewal, "ask", stopped)
    with pytest.raises(SystemExit):
        tried.renewal.step()
    tried.renewal = Renewal(WISH, tried.places)
    tried.renewal.step()
    assert tried.asked == 1 and "was cut off" in tried.health()


def test_a_ledger_that_cannot_be_read_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = Sealed(tmp_path, monkeypatch)
    tried.places.ledger.write_text('[{"at": 1}]')
    assert Renewal(WISH, tried.places).ledger == []
    assert "cannot be read" in capsys.readouterr().out


def test_the_program_says_when_it_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "health.json"
    monkeypatch.setattr(renewal, "_HEALTH", file)
    monkeypatch.setattr(renewal, "_PATIENT", 0)
    assert renewal.health() == 1
    file.write_text(json.dumps({"state": "good", "text": "x", "at": 0}))
    assert renewal.health() == 1
    assert "has not looked for" in capsys.readouterr().out


def test_an_issued_one_is_described() -> None:
    found = described(pem(began=NOW, days=90))
    assert (found.begins, found.ends, found.placeholder) == (NOW, NOW + 90 * DAY, False)
