"""A person at the audio editor's page, in a real browser: Debian's Chromium, led by Playwright."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import Error, Page, Request, ViewportSize, WebSocket, expect, sync_playwright

from ops import apt

PACKAGES = {"chromium": "chromium", "certutil": "libnss3-tools"}
SIZE = ViewportSize(width=1280, height=1400)
WAIT = 60_000
"""Milliseconds; a loaded machine is slow, a broken page never ends."""
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
"""How a browser fails what it has under way when an address of this machine comes or goes, as with every
network of Docker's. Chromium has no switch against it."""
TRIES = 5
"""Of what a network may interrupt; the tests beside make one every few seconds."""


Seen = TypeVar("Seen")


@dataclass
class Visit:
    """What happened in the browser."""

    percents: list[int] = field(default_factory=list)
    """Of the edit, as they came by WebSocket."""
    problems: list[str] = field(default_factory=list)
    """Errors in the console, failed requests, answers of 500 and more."""
    screenshots: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    """The length of the result as the browser's own player sees it."""
    sockets: list[str] = field(default_factory=list)
    """Addresses of WebSockets."""


def screenshots(default: Path) -> Path:
    """Where pictures are kept: `BERTH_SCREENSHOTS`, else the given folder."""
    folder = Path(os.environ.get("BERTH_SCREENSHOTS") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _program(name: str) -> str:
    if shutil.which(name) is None:
        apt.install(PACKAGES[name], why="a browser for tests")
    found = shutil.which(name)
    assert found, f"{PACKAGES[name]} brought no {name}"
    return found


def _trust(home: Path, authority: str) -> None:
    """Makes the browser trust one more authority, as a developer would who adds it to the system."""
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    certificate = home / "authority.pem"
    certificate.write_text(authority)
    certutil = [_program("certutil"), "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True, capture_output=True)
    add = ["-A", "-t", "C,,", "-n", "berth", "-i", str(certificate)]
    subprocess.run([*certutil, *add], check=True, capture_output=True)


@contextmanager
def page(
    home: Path, *, authority: str | None = None, addresses: dict[str, str] | None = None, strict: bool = True
) -> Iterator[Page]:
    """A page of a browser that knows nothing yet.

    home: an empty folder of its own; a picture of a failure goes there, too. authority: a CA certificate
    (PEM) to trust. addresses: host names and the IP addresses that they stand for. strict: False accepts
    any certificate.
    """
    home.mkdir(parents=True, exist_ok=True)
    if authority:
        _trust(home, authority)
    rules = ",".join(f"MAP {name} {address}" for name, address in (addresses or {}).items())
    args = ["--disable-dev-shm-usage", *([f"--host-resolver-rules={rules}"] if rules else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_program("chromium"),
            args=args,
            chromium_sandbox=os.geteuid() != 0,
            env={**os.environ, "HOME": str(home)},
        )
        try:
            context = browser.new_context(viewport=SIZE, ignore_https_errors=not strict)
            opened = context.new_page()
            opened.set_default_timeout(WAIT)
            yield opened
        except Exception:
            opened.screenshot(path=screenshots(home) / "failed.png", full_page=True)
            raise
        finally:
            browser.close()


def see(page: Page, url: str, heading: str) -> None:
    """Opens url, again where its heading stays away: a network that came may cost it a module."""
    for turn in range(TRIES):
        go(page, url)
        try:
            expect(page.locator("h1")).to_contain_text(heading, timeout=WAIT)
        except AssertionError:
            if turn == TRIES - 1:
                raise
        else:
            return


def go(page: Page, url: str) -> None:
    """Opens url, again where a network that came or went interrupted that.

    Upon which the browser goes to a page that tells so, which may interrupt, too: it gets a second for that.
    """
    for _ in range(TRIES - 1):
        try:
            page.goto(url)
            return
        except Error as error:
            if NETWORK_CHANGED not in error.message and "interrupted by another" not in error.message:
                raise
            page.wait_for_timeout(1000)
    page.goto(url)


def undisturbed(page: Page, visit: Callable[[], Seen]) -> Seen:
    """What a visit returns; made anew where it failed and a network had interrupted a request."""
    interrupted: list[str] = []

    def failed(request: Request) -> None:
        if NETWORK_CHANGED in (request.failure or ""):
            interrupted.append(request.url)

    page.on("requestfailed", failed)
    for _ in range(TRIES - 1):
        try:
            return visit()
        except (Error, AssertionError):
            if not interrupted:
                raise
            interrupted.clear()
    return visit()


def edit_audio(page: Page, url: str, wav: bytes, pictures: Path) -> Visit:
    """Makes an account and a project, uploads, cuts, joins speech, watches it to 100 %, loads the result.

    url: of the system's edge. wav: at least a second long. pictures: the folder for screenshots.
    """
    return undisturbed(page, lambda: _edit(page, url, wav, pictures))


def _edit(page: Page, url: str, wav: bytes, pictures: Path) -> Visit:
    page.context.clear_cookies()
    visit = Visit()
    _watch(page, visit)

    def picture(name: str) -> None:
        visit.screenshots.append(pictures / f"{name}.png")
        page.screenshot(path=visit.screenshots[-1], full_page=True)

    go(page, url)
    page.fill("input[name=name]", f"ann-{secrets.token_hex(4)}")
    page.fill("input[name=password]", secrets.token_hex(8))
    picture("login")
    page.click("[data-test=register]")
    page.fill("input[name=project]", "Morning show")
    page.click("aside button:has-text('Create')")
    expect(page.locator("[data-test=live].on")).to_be_visible(timeout=WAIT)
    page.set_input_files("input[name=file]", {"name": "tone.wav", "mimeType": "audio/wav", "buffer": wav})
    expect(page.locator("[data-test=file]")).to_have_count(1, timeout=WAIT)
    page.fill("input[name=start]", "0.25")
    page.fill("input[name=db]", "-3")
    page.fill("input[name=fade-in]", "0.1")
    page.fill("textarea[name=join-text]", "Good morning. This was made by a machine.")
    expect(page.locator("form.edit canvas[data-drawn=true]")).to_be_visible(timeout=WAIT)
    picture("edit")
    page.click("[data-test=edit]")
    job = page.locator("[data-test=job]").first
    expect(job.locator("[data-test=percent]")).to_have_text("100 %", timeout=WAIT)
    expect(job).to_have_attribute("data-status", "done", timeout=WAIT)
    player = job.locator("audio")
    expect(player).to_be_visible(timeout=WAIT)
    # Looked up each time: the page may make the element anew while it loads.
    known = "document.querySelector('[data-test=job] audio')?.readyState > 0"
    page.wait_for_function(known, timeout=WAIT)
    visit.seconds = float(player.evaluate("e => e.duration"))
    expect(job.locator("canvas[data-drawn=true]")).to_be_visible(timeout=WAIT)
    picture("result")
    return visit


def _watch(page: Page, visit: Visit) -> None:
    def told(payload: str | bytes) -> None:
        event = json.loads(payload)
        if event.get("type") == "job" and "percent" in event["job"]:
            visit.percents.append(event["job"]["percent"])

    def opened(socket: WebSocket) -> None:
        visit.sockets.append(socket.url)
        if socket.url.endswith("/ws"):
            socket.on("framereceived", told)

    # A visitor without a session is told so by 401, which browsers log as an error of the page. What networks
    # interrupt, the page mostly asks for again.
    ignored = ("a status of 401", NETWORK_CHANGED)
    page.on("websocket", opened)
    page.on("pageerror", lambda error: visit.problems.append(str(error)))
    page.on(
        "console",
        lambda line: (
            visit.problems.append(line.text)
            if line.type == "error" and not any(it in line.text for it in ignored)
            else None
        ),
    )
    page.on(
        "response",
        lambda answer: (
            visit.problems.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None
        ),
    )
