"""The metadata service of one VPC, at 100.100.100.200. Runs in the VPC's router, with nothing but Python.

Who asks is known by the address that it asks from. What it may read lies in /run/metadata/ADDRESS.json, put
there by the emulator: {"endpoint": bool, "tokens": "optional" | "required", "documents": {"path": "text"}}.
A document's path ends in no slash; the folders above it are listed as Alibaba Cloud lists them.
"""

from __future__ import annotations

import http.server
import json
import secrets
import socket
import time
from pathlib import Path
from typing import Any

FOLDER = Path("/run/metadata")
ADDRESS = ("100.100.100.200", 80)
VERSIONS = ("latest", "2016-01-01")
LONGEST = 21600  # seconds that a token lives at most


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "metadata"
    sys_version = ""
    tokens: dict[str, tuple[str, float]] = {}  # noqa: RUF012 - one for all requests: token -> whose, until when

    def do_PUT(self) -> None:
        """A session token, for as long as the header says."""
        if self.path.strip("/") not in {f"{version}/api/token" for version in VERSIONS}:
            return self.say(404, "")
        if "X-Forwarded-For" in self.headers:  # a proxy that lets strangers in
            return self.say(403, "")
        lives = self.headers.get("X-aliyun-ecs-metadata-token-ttl-seconds", "")
        if not lives.isascii() or not lives.isdigit() or not 1 <= int(lives) <= LONGEST:
            return self.say(400, "")
        if not self.entry().get("endpoint"):
            return self.say(403, "")
        now = time.monotonic()
        for old in [token for token, (_, until) in self.tokens.items() if until < now]:
            del self.tokens[old]
        token = secrets.token_urlsafe(40)
        self.tokens[token] = (self.client_address[0], now + int(lives))
        return self.say(200, token)

    def do_GET(self) -> None:
        entry = self.entry()
        if not entry.get("endpoint"):
            return self.say(403, "")
        token = self.headers.get("X-aliyun-ecs-metadata-token")
        if token is not None or entry["tokens"] == "required":
            whose, until = self.tokens.get(token or "", ("", 0.0))
            if whose != self.client_address[0] or until < time.monotonic():
                return self.say(403 if token is None else 401, "")
        version, _, path = self.path.partition("?")[0].strip("/").partition("/")
        if not version:
            return self.say(200, "\n".join(VERSIONS))
        if version not in VERSIONS:
            return self.say(404, "")
        documents = entry["documents"]
        if path in documents:
            return self.say(200, documents[path])
        below = f"{path}/" if path else ""
        listed: dict[str, None] = {}
        for name in documents:
            if name.startswith(below):
                head, more, _ = name.removeprefix(below).partition("/")
                listed[head + more] = None
        return self.say(200, "\n".join(listed)) if listed else self.say(404, "")

    def do_HEAD(self) -> None:
        self.do_GET()

    def entry(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((FOLDER / f"{self.client_address[0]}.json").read_text())
            return found
        except (OSError, ValueError):
            return {}

    def say(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # The address comes with the router's wiring, a moment later.
        self.socket.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
        super().server_bind()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    Server(ADDRESS, Handler).serve_forever()
