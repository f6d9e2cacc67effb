"""Users of the audio editor while something is changed: requests, open WebSockets, edits with speech."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from docker.models.containers import Container
from websockets.exceptions import ConnectionClosed

from tests.docker.editor import Person

SPEECH = [{"type": "speech", "text": "This was said while everything changed."}]
_MOST_SECONDS = 900
# From a container that is not replaced, through the edge's internal port; a new connection each time.
_PROXY_LOAD = """
const http = require('http'), fs = require('fs');
const seen = { answered: 0, spoken: 0, failures: [] };
const failed = (why) => seen.failures.push((Date.now() / 1000).toFixed(2) + ' ' + why);
const ask = (n) => new Promise((done) => {
  const speech = n % 40 === 0;
  const request = http.request('http://nginx:8001' + (speech ? '/v1/speech' : '/v1/voices'),
    { agent: false, method: speech ? 'POST' : 'GET', headers: { 'content-type': 'application/json' } },
    (answer) => {
      let bytes = 0;
      answer.on('data', (chunk) => { bytes += chunk.length; });
      answer.on('error', (error) => { failed(error.message); done(); });
      answer.on('end', () => {
        if (answer.statusCode !== 200) failed(answer.statusCode);
        else { seen.answered += 1; seen.spoken += speech; }
        done();
      });
    });
  request.on('error', (error) => { failed(error.message); done(); });
  request.end(speech ? JSON.stringify({ text: 'hello', provider: 'auto' }) : undefined);
});
(async () => {
  for (let n = 1; !fs.existsSync(process.argv[1]); n += 2) {
    await Promise.all([ask(n), ask(n + 1), new Promise((go) => setTimeout(go, 40))]);
  }
  console.log(JSON.stringify(seen));
})();
"""


@dataclass
class Audience:
    """What they met. A `closed` WebSocket was told to come back (1001), which is no failure.

    resent: GETs over a kept connection that the edge closed at that moment; browsers send them again, too.
    """

    began: float = field(default_factory=time.time)
    answered: int = 0
    resent: int = 0
    failures: list[str] = field(default_factory=list)
    messages: int = 0
    closed: int = 0
    edits: int = 0
    proxy: dict[str, Any] = field(default_factory=dict)


@contextmanager
def audience(url: str, person: Person, *, inside: Container | None = None) -> Iterator[Audience]:
    """About 100 requests a second, every fifth a POST, 4 WebSockets and edits with speech, until the end.

    inside: a container of the system, from which tts-proxy is asked as the backend asks it.
    """
    seen, stop, lock = Audience(), threading.Event(), threading.Lock()
    assert person.trust
    end = time.monotonic() + _MOST_SECONDS
    numbers = itertools.count()
    once = httpx.Limits(max_keepalive_connections=0)
    kept = httpx.Client(base_url=url, verify=person.trust, trust_env=False, timeout=30)
    fresh = httpx.Client(base_url=url, verify=person.trust, trust_env=False, timeout=30, limits=once)
    for client in (kept, fresh):
        client.cookies.update(person.http.cookies)

    def get(path: str) -> httpx.Response:
        try:
            return kept.get(path)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            seen.resent += 1
            return fresh.get(path)

    def request() -> None:
        number = next(numbers)
        if number % 5 == 0:
            answer, wanted = fresh.post("/api/projects", json={"name": f"project {number}"}), 201
        else:
            answer, wanted = get(("/", "/api/me", "/api/voices", "/health")[number % 4]), 200
        if answer.status_code != wanted:
            raise AssertionError(
                f"{answer.request.method} {answer.url.path}: {answer.status_code} {answer.text[:80]}"
            )
        with lock:
            seen.answered += 1

    def listen() -> None:
        try:
            with person.listen() as socket:
                while not stop.is_set():
                    try:
                        json.loads(socket.recv(timeout=0.5))
                        with lock:
                            seen.messages += 1
                    except TimeoutError:
                        continue
        except ConnectionClosed as error:
            if not error.rcvd or error.rcvd.code != 1001:
                raise
            with lock:
                seen.closed += 1

    # An edit is a POST: over a kept connection that the edge closes just then, it would have to be sent anew.
    editing = Person(url, person.name, client=fresh, trust=person.trust)

    def edit() -> None:
        project = editing.project("Spoken")
        job = editing.ended(editing.edit(project, SPEECH), seconds=90)
        if job["status"] != "done":
            raise AssertionError(f"an edit failed: {job['error']}")
        with lock:
            seen.edits += 1

    def repeat(what: Callable[[], None], pause: float) -> None:
        while not stop.wait(pause) and time.monotonic() < end:
            try:
                what()
            except Exception as error:
                with lock:
                    told = f"{what.__name__}: {type(error).__name__}: {error}"
                    seen.failures.append(f"{time.time():.2f} {told}")

    def ask_proxy(container: Container, flag: str) -> None:
        code, output = container.exec_run(["node", "-e", _PROXY_LOAD, flag])
        assert code == 0, output
        seen.proxy = json.loads(output)

    doings = [(request, 0.03)] * 5 + [(listen, 0.2)] * 4 + [(edit, 0.5)]
    threads = [threading.Thread(target=repeat, args=doing) for doing in doings]
    flag = f"/tmp/stop-{time.monotonic_ns()}"
    if inside:
        threads.append(threading.Thread(target=ask_proxy, args=(inside, flag)))
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        if inside:
            inside.exec_run(["touch", flag])
        for thread in threads:
            thread.join()
        kept.close()
        fresh.close()
