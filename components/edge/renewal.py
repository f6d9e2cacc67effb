"""The program beside certbot: asks for a certificate when it is time, hands it to the edge, tells the truth.

    prepare   once, as root: folders for the user of the edge, and a certificate so that nginx can start
    run       for ever; HUP: ask now, without waiting for a backoff; USR1: a new certificate now, due or not
    health    exit status 0 while the edge has a certificate that lasts and the last request went well

Runs in the container of certbot, as `python3 -m edge.renewal`: nothing but Python and cryptography.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from .certificate import fault
from .renewal_files import Certificates, Served, described
from .renewal_plan import Failure, Outcome, Request, Wish, alarming, due, kept, last, limited, wait
from .renewal_request import STOP, ask, unreachable

CERTIFICATES: Final = Path("/certificates")
CONFIG: Final = Path("/etc/letsencrypt")
WEBROOT: Final = Path("/webroot")
SCRATCH: Final = Path("/tmp/certbot")  # noqa: S108  (inside the container)
_HEALTH: Final = Path("/tmp/health.json")  # noqa: S108
_ROUND: Final = 60.0  # seconds between two looks
_SILENT: Final = 300.0  # seconds after which a program that looks every minute hangs
_PATIENT: Final = 200.0  # seconds that a probe waits for a request under way
_SIGNALS: Final = {*STOP, signal.SIGHUP, signal.SIGUSR1}


@dataclass(frozen=True)
class Places:
    """Where things lie."""

    certificates: Path = CERTIFICATES
    config: Path = CONFIG
    webroot: Path = WEBROOT
    scratch: Path = SCRATCH
    authority: Path | None = None

    @property
    def ledger(self) -> Path:
        return self.config / "requests.json"


class Renewal:
    """One certificate and its requests."""

    def __init__(self, wish: Wish, places: Places) -> None:
        self.wish, self.places = wish, places
        self.certificates = Certificates(places.certificates, wish.name)
        self.ledger = _read(places.ledger)
        self.refused = ""
        """Why the newest certificate is not handed to the edge."""

    def step(self, *, hurry: bool = False, force: bool = False) -> None:
        """One look: hand over what is there, ask for what is missing. hurry: whatever the backoff says."""
        now = datetime.now(UTC)
        mine = self._hand_over(now)
        if not (force or due(mine, now)):
            return
        if hurry or force:
            if found := limited(self.ledger, self.wish, now):
                say(f"does not ask before {_shown(found.until)}: {found.why}")
                return
        elif wait(self.ledger, self.wish, now):
            return
        _report("working", "a certificate is being asked for")
        say(f"asks {self.wish.server} for {', '.join(self.wish.domains)}")
        failure = unreachable(self.wish, self.places.webroot)
        if failure is None:
            self._record("begun")
            failure = ask(
                self.wish,
                config=self.places.config,
                webroot=self.places.webroot,
                scratch=self.places.scratch,
                authority=self.places.authority,
            )
            self.ledger.pop()
        if failure is None:
            self._record("issued")
            self._hand_over(datetime.now(UTC))
        else:
            self._record("refused" if failure.asked else "unasked", failure)
            say(f"FAILED: {failure.cause}; fix: {failure.fix}")

    def _hand_over(self, now: datetime) -> Served | None:
        """The certificate that certbot has for the wish; the edge gets it unless it has it."""
        folder = self.places.config / "live" / self.wish.key
        try:
            text = "".join((folder / f"{part}.pem").read_text() for part in ("privkey", "fullchain"))
            found = described(text)
        except (OSError, ValueError):
            return None
        self.refused = ""
        served = self.certificates.current()
        if served is None or served.text != text:
            if wrong := fault(text, now=now):
                # The same would come again: asked for once more when it is due, or by hand.
                self.refused = f"{wrong.cause}; fix: {wrong.fix}"
                return found
            self.certificates.place(text, now=now)
            say(f"handed the edge a certificate that lasts until {_shown(found.ends)}")
        return found

    def _record(self, outcome: Outcome, failure: Failure | None = None) -> None:
        now = datetime.now(UTC)
        made = Request(
            at=now,
            key=self.wish.key,
            server=self.wish.server,
            domains=self.wish.domains,
            outcome=outcome,
            cause=failure.cause if failure else "",
            fix=failure.fix if failure else "",
            until=failure.until if failure else None,
        )
        self.ledger = [*kept(self.ledger, now), made]
        _replace(self.places.ledger, json.dumps([asdict(it) for it in self.ledger], default=str))

    def problems(self, now: datetime) -> list[str]:
        """What is not as it should be, a line each."""
        served, newest = self.certificates.current(), last(self.ledger, self.wish)
        names = ", ".join(self.wish.domains)
        found = []
        if served is None or served.placeholder:
            found.append(f"no certificate for {names} yet; browsers are served one that nobody trusts")
        else:
            if missing := sorted(set(self.wish.domains) - served.names):
                found.append(f"the certificate in use is not for {', '.join(missing)}")
            if served.ends <= now:
                found.append(f"the certificate in use expired on {_shown(served.ends)}")
            elif served.ends - now < alarming(served):
                found.append(f"the certificate in use expires on {_shown(served.ends)} and was not renewed")
        if self.refused:
            found.append(f"the newest certificate cannot serve: {self.refused}")
        if newest and newest.outcome in ("refused", "unasked"):
            found.append(f"the last request failed ({_shown(newest.at)}): {newest.cause}; fix: {newest.fix}")
        elif newest and newest.outcome == "begun":
            found.append(f"the last request was cut off ({_shown(newest.at)})")
        if not found and due(served, now) and (limit := limited(self.ledger, self.wish, now)):
            found.append(f"it is time for a new certificate, but {limit.why}")
        if found and (later := wait(self.ledger, self.wish, now)):
            found.append(f"asked again at {_shown(later.until)} ({later.why})")
        return found

    def report(self) -> None:
        """For the health check."""
        problems = self.problems(datetime.now(UTC))
        if problems:
            _report("bad", "\n".join(problems))
        elif served := self.certificates.current():
            _report("good", f"{', '.join(self.wish.domains)}: until {_shown(served.ends)}")


def prepare(wish: Wish, places: Places, owner: int) -> None:
    """Folders and files for the edge's user, and a certificate to start with."""
    Certificates(places.certificates, wish.name).hold_place(wish.domains)
    for top in (places.certificates, places.config):
        top.chmod(0o700)
        for path in (top, *top.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)


def run(renewal: Renewal) -> None:
    """Until it is told to stop."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    newest, force = last(renewal.ledger, renewal.wish), False
    # Who starts it again may have corrected what was wrong, and to look again costs nothing.
    hurry = newest is not None and newest.outcome == "unasked"
    while True:
        renewal.step(hurry=hurry, force=force)
        renewal.report()
        got = signal.sigtimedwait(_SIGNALS, _pause(renewal))
        if got and got.si_signo in STOP:
            return
        hurry = got is not None and got.si_signo == signal.SIGHUP
        force = got is not None and got.si_signo == signal.SIGUSR1


def _pause(renewal: Renewal) -> float:
    """Short certificates are looked at more often."""
    served = renewal.certificates.current()
    return _ROUND if served is None else min(_ROUND, max(1.0, served.lifetime.total_seconds() / 50))


def health() -> int:
    """Prints how it is; a request under way is waited for, so that `up` learns its outcome."""
    end = time.monotonic() + _PATIENT
    while True:
        try:
            said: dict[str, Any] = json.loads(_HEALTH.read_text())
        except (OSError, ValueError):
            said = {"state": "working", "text": "it has not looked yet", "at": time.time()}
        if said["state"] != "working" or time.monotonic() > end:
            break
        time.sleep(0.5)
    silent = time.time() - said["at"]
    if said["state"] == "good" and silent > _SILENT:
        said = {"state": "bad", "text": f"the program has not looked for {int(silent)} s"}
    sys.stdout.write(f"{said['text']}\n")
    return 0 if said["state"] == "good" else 1


def say(text: str) -> None:
    """A line of the log."""
    sys.stdout.write(f"{_shown(datetime.now(UTC))} {text}\n")
    sys.stdout.flush()


def wish_of(environ: Mapping[str, str]) -> Wish:
    """From the container's environment."""
    return Wish(
        domains=tuple(environ["ACME_DOMAINS"].split()),
        email=environ["ACME_EMAIL"],
        server=environ["ACME_SERVER"],
        name=environ["ACME_NAME"],
    )


def _report(state: str, text: str) -> None:
    _replace(_HEALTH, json.dumps({"state": state, "text": text, "at": time.time()}))


def _replace(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.part")
    part.write_text(text)
    part.replace(file)


def _read(file: Path) -> list[Request]:
    """The ledger; an unreadable one is an empty one, for what it guards against is rare."""
    try:
        lines = json.loads(file.read_text())
        return [
            Request(
                **{
                    **line,
                    "at": datetime.fromisoformat(line["at"]),
                    "domains": tuple(line["domains"]),
                    "until": datetime.fromisoformat(line["until"]) if line["until"] else None,
                }
            )
            for line in lines
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        say(f"the record of earlier requests cannot be read, and is begun anew: {error}")
        return []


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def main(verb: str) -> int:
    """The exit status."""
    if verb == "health":
        return health()
    authority = os.environ.get("ACME_AUTHORITY")
    wish, places = wish_of(os.environ), Places(authority=Path(authority) if authority else None)
    if verb == "prepare":
        prepare(wish, places, owner=int(os.environ["ACME_OWNER"]))
    else:
        run(Renewal(wish, places))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
