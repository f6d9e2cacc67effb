"""Asking an ACME server for a certificate, by certbot, and what its answers mean.

Runs in the container of certbot, too: nothing but Python.
"""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from .renewal_plan import Failure, Wish

CHALLENGES: Final = Path(".well-known/acme-challenge")
_TIMEOUT: Final = 240  # seconds for certbot; a server may let its clients wait for a validation
_PATIENCE: Final = 5.0
STOP: Final = {signal.SIGTERM, signal.SIGINT}
"""Blocked in the program, which looks for them while it waits."""
_CORRECT: Final = "correct what the server names"
_FIXES: Final = {
    "dns": "correct the DNS record of the name; a CAA record must allow this issuer",
    "caa": "the domain's CAA record must allow this issuer",
    "connection": "open port 80 of this host to the world, and let the name's DNS record lead here",
    "unauthorized": "let the name's DNS record lead to this host, also its AAAA record if it has one",
}


def unreachable(wish: Wish, webroot: Path) -> Failure | None:
    """Why the server would not find its answer here, as far as this host can tell. The server is not asked.

    A name that cannot be reached from here may well be reached from outside: only what another server
    answers, or a name without an address, counts.
    """
    token = secrets.token_hex(16)
    folder = webroot / CHALLENGES
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"berth-{token}"
    file.write_text(token)
    file.chmod(0o644)
    try:
        for domain in wish.domains:
            if found := _elsewhere(domain, file.name, token):
                return found
    finally:
        file.unlink(missing_ok=True)
    return None


def _elsewhere(domain: str, name: str, token: str) -> Failure | None:
    try:
        address = socket.getaddrinfo(domain, 80, type=socket.SOCK_STREAM)[0][4][0]
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            cause = f"{domain} cannot be looked up now ({error.strerror})"
            return Failure(cause, "let this host reach its DNS server", asked=False)
        cause = f"{domain} does not resolve ({error.strerror})"
        return Failure(cause, f"add a DNS record for {domain} that leads to this host", asked=False)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{domain}/{CHALLENGES}/{name}", timeout=_PATIENCE) as answer:
            if answer.read(200).decode(errors="replace").strip() == token:
                return None
            said = "something else"
    except urllib.error.HTTPError as error:
        said = f"HTTP {error.code}"
    except (OSError, http.client.HTTPException):
        return None
    return Failure(
        f"{domain} does not lead here: at {address}, port 80, another server answers ({said})",
        f"let the DNS record of {domain} lead to this host",
        asked=False,
    )


def command(wish: Wish, *, config: Path, webroot: Path, scratch: Path) -> list[str]:
    """certbot's whole command line. It decides nothing: when to ask is for renewal_plan alone."""
    return [
        *("certbot", "certonly", "--non-interactive", "--agree-tos", "--force-renewal"),
        *("--server", wish.server, "--email", wish.email, "--no-eff-email", "--cert-name", wish.key),
        *("--webroot", "--webroot-path", str(webroot)),
        *("--config-dir", str(config), "--work-dir", str(scratch), "--logs-dir", str(scratch)),
        *("--max-log-backups", "0"),
        *(word for domain in wish.domains for word in ("--domain", domain)),
    ]


def ask(
    wish: Wish, *, config: Path, webroot: Path, scratch: Path, authority: Path | None = None
) -> Failure | None:
    """One request. The new certificate lies in certbot's folder; that it cannot be had is an answer, too.

    authority: PEM of who may have signed the server's own certificate, besides those that the world trusts.
    Raises SystemExit when the program is told to stop meanwhile.
    """
    scratch.mkdir(exist_ok=True)
    words, log = command(wish, config=config, webroot=webroot, scratch=scratch), scratch / "letsencrypt.log"
    trust = _trust(authority, scratch)
    code, said = _certbot(words, log, scratch / "said", trust)
    if code and _problem(_text(log))[0] == "accountDoesNotExist":
        # As after a private server was set up anew: certbot makes another account.
        shutil.rmtree(config / "accounts" / urlsplit(wish.server).netloc, ignore_errors=True)
        code, said = _certbot(words, log, scratch / "said", trust)
    return meaning(said, wish.server, _text(log)) if code else None


def _trust(authority: Path | None, scratch: Path) -> dict[str, str]:
    if authority is None:
        return {}
    import certifi  # certbot brings it

    both = scratch / "trust.pem"
    both.write_text(Path(certifi.where()).read_text() + "\n" + authority.read_text())
    return {"REQUESTS_CA_BUNDLE": str(both)}


def _certbot(words: Sequence[str], log: Path, output: Path, environ: Mapping[str, str]) -> tuple[int, str]:
    log.unlink(missing_ok=True)
    with output.open("w+") as said:
        process = subprocess.Popen(
            words,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            # The caller waits for signals; certbot is to be stopped by them.
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, []),
        )
        end = time.monotonic() + _TIMEOUT
        while process.poll() is None:
            stopped = signal.sigtimedwait(STOP, 0.2)
            if stopped or time.monotonic() > end:
                process.terminate()
                process.wait()
                if stopped:
                    raise SystemExit(0)
                return 1, f"certbot did not end within {_TIMEOUT} s"
        said.seek(0)
        return process.returncode, said.read()


def meaning(said: str, server: str, log: str = "") -> Failure:
    """Why certbot failed, from what it said, and from its log, which has the server's own words."""
    host = urlsplit(server).netloc
    if "CERTIFICATE_VERIFY_FAILED" in said:
        cause = f"the certificate of the ACME server {host} is not trusted"
        return Failure(cause, "give the certificate of its authority as `authority`", asked=False)
    if re.search(r"ConnectionError|ConnectTimeout|ReadTimeout|Max retries exceeded|Connection refused", said):
        cause = f"the ACME server {host} does not answer"
        return Failure(cause, "let this host reach it; it is asked again by itself", asked=False)
    problems = re.findall(r"(?:Domain|Identifier): (\S+)\s+Type: +(\S+)\s+Detail: (.+)", said)
    if problems:
        cause = "; ".join(f"{domain}: {detail.strip()}" for domain, _, detail in problems)
        fixes = dict.fromkeys(_FIXES.get(kind, _CORRECT) for _, kind, _ in problems)
        return Failure(f"the ACME server {host} refused: {cause}", "; ".join(fixes))
    kind, cause = _problem(log)
    cause = (cause or _last_words(said))[:500]
    if kind == "serverInternal" or ("HTTP" in cause and re.search(r"\b5\d\d\b", cause)):
        cause = f"the ACME server {host} is out of order: {cause}"
        return Failure(cause, "it is asked again by itself", asked=False)
    limited = kind == "rateLimited" or "too many" in cause
    fix = "wait; meanwhile `staging: true` has wider limits" if limited else _CORRECT
    return Failure(f"the ACME server {host} refused: {cause}", fix, until=_retry_after(cause))


def _problem(log: str) -> tuple[str, str]:
    """The newest problem document (RFC 7807) in certbot's log: its kind and its words."""
    found = re.findall(r'"type": *"urn:ietf:params:acme:error:(\w+)",\s*"detail": *"((?:[^"\\]|\\.)*)"', log)
    return found[-1] if found else ("", "")


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    start = next((n for n, line in enumerate(lines) if line.startswith("An unexpected error")), -1) + 1
    end = next((n for n, line in enumerate(lines) if line.startswith("Ask for help")), len(lines))
    return " ".join(lines[start:end]) or "certbot said nothing"


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _retry_after(text: str) -> datetime | None:
    found = re.search(r"retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)", text)
    return datetime.fromisoformat(f"{found[1]} {found[2]}").replace(tzinfo=UTC) if found else None
