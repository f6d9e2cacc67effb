"""Long answers of the engine (build, pull, push, logs) that end on failure, Ctrl-C or timeout."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import docker.errors

from offline.docker import image_name
from offline.provider.resource import Context, ResourceError

POLL_SECONDS = 0.2
LOG_SECONDS = 0.5

Message = dict[str, Any]
Part = TypeVar("Part")


class EngineError(ResourceError):
    """The engine reported a failure while it worked; `message` is its own text."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


def post(
    ctx: Context,
    path: str,
    *,
    params: Mapping[str, Any],
    headers: Mapping[str, str],
    data: Iterable[bytes] | None = None,
) -> Iterator[Message]:
    """Send a POST and yield the JSON messages of its answer. Raises EngineError."""

    def send(api: Any, body: Iterable[bytes] | None) -> Any:
        # The SDK's own build() and pull() can neither be cancelled nor given all options of the API.
        return api._post(api._url(path), params=params, headers=headers, data=body, stream=True, timeout=None)

    def read(api: Any, response: Any) -> Iterator[Message]:
        messages: Iterator[Message] = api._stream_helper(response, decode=True)
        for message in messages:
            if error := (message.get("errorDetail") or {}).get("message") or message.get("error"):
                raise EngineError(error)
            yield message

    return _Request(ctx, send, read).answer(data)


def get(ctx: Context, path: str, *, params: Mapping[str, Any]) -> Iterator[bytes]:
    """Send a GET and yield the raw bytes of its answer. Raises EngineError."""

    def send(api: Any, body: Iterable[bytes] | None) -> Any:  # noqa: ARG001
        return api._get(api._url(path), params=params, stream=True, timeout=None)

    def read(api: Any, response: Any) -> Iterator[bytes]:  # noqa: ARG001
        chunks: Iterator[bytes] = response.iter_content(1 << 16)
        return chunks

    return _Request(ctx, send, read).answer(None)


class _Request(Generic[Part]):
    """One request on a thread of its own, because nothing else can end one that is silent.

    On Ctrl-C or timeout the connection is closed, and the engine stops work for a client that is gone.
    """

    def __init__(
        self,
        ctx: Context,
        send: Callable[[Any, Iterable[bytes] | None], Any],
        read: Callable[[Any, Any], Iterator[Part]],
    ) -> None:
        self._ctx = ctx
        self._api = ctx.engine.api
        self._send = send
        self._read = read
        self._parts: queue.SimpleQueue[Part | Exception | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._response: Any = None

    def answer(self, data: Iterable[bytes] | None) -> Iterator[Part]:
        """The parts of the answer as they come."""
        threading.Thread(target=self._run, args=(data,), daemon=True).start()
        deadline = time.monotonic() + self._ctx.timeout if self._ctx.timeout else None
        try:
            while True:
                try:
                    part = self._parts.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    self._look_at_clock(deadline)
                    continue
                if part is None:
                    return
                if isinstance(part, Exception):
                    raise part
                self._look_at_clock(deadline)
                yield part
        finally:
            self._close()

    def _look_at_clock(self, deadline: float | None) -> None:
        if self._ctx.cancelled.is_set():
            raise ResourceError("cancelled")
        if deadline and time.monotonic() > deadline:
            raise ResourceError(
                f"not done after {self._ctx.timeout:g} s", fix="raise the resource option custom_timeouts"
            )

    def _run(self, data: Iterable[bytes] | None) -> None:
        try:
            self._response = self._send(self._api, None if data is None else self._until_closed(data))
            if self._closed.is_set():
                self._close()
            self._api._raise_for_status(self._response)
            for part in self._read(self._api, self._response):
                self._parts.put(part)
            self._parts.put(None)
        except ResourceError as problem:
            self._parts.put(problem)
        except docker.errors.APIError as problem:
            self._parts.put(EngineError(problem.explanation or str(problem)))
        except (
            Exception
        ) as problem:  # closing a socket under its reader raises whatever it was in the midst of
            self._parts.put(
                ResourceError(f"the connection to the Docker engine broke: {problem}", fix="is it still up?")
            )

    def _until_closed(self, data: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in data:
            if self._closed.is_set():
                raise ResourceError("cancelled")
            yield chunk

    def _close(self) -> None:
        self._closed.set()
        if self._response is not None:
            with contextlib.suppress(Exception):
                docker.types.CancellableStream(iter(()), self._response).close()
            self._response.close()


class Progress:
    """Sums up the per-layer messages of a pull or push and logs a line now and then."""

    def __init__(self, ctx: Context, verb: str) -> None:
        self._ctx = ctx
        self._verb = verb
        self._layers: dict[str, tuple[int, int]] = {}
        self._logged = time.monotonic()

    def see(self, message: Message) -> None:
        detail = message.get("progressDetail") or {}
        if (layer := message.get("id")) and detail.get("total"):
            self._layers[layer] = (detail.get("current", 0), detail["total"])
        if self._layers and time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            done, total = (sum(column) / 1e6 for column in zip(*self._layers.values(), strict=True))
            self._ctx.log(f"{self._verb}: {done:.0f} of {total:.0f} MB in {len(self._layers)} layers")


def is_disk_full(text: str) -> bool:
    """Whether an error or a line of output says so."""
    return "no space left on device" in text.lower()


def explain(problem: EngineError, image: str) -> ResourceError:
    """Turn the engine's words about an image or a disk into a cause and a next step."""
    text = problem.message.strip()
    low = text.lower()
    if is_disk_full(text):
        return ResourceError(
            f"the Docker engine's disk is full: {text}",
            fix="see `docker system df`; free some, or move the engine's data-root",
        )
    try:
        registry = image_name.parse(image).domain
    except ResourceError:
        registry = "the registry"
    if any(sign in low for sign in ("unauthorized", "authentication required", "no basic auth credentials")):
        return ResourceError(
            f"{registry} wants a login for {image}: {text}",
            fix=f"set registry_auth of the provider, or run `docker login {registry}`",
        )
    if any(
        sign in low
        for sign in ("no such host", "connection refused", "i/o timeout", "client.timeout", "no route")
    ):
        return ResourceError(
            f"{image} is not on the Docker host, and {registry} cannot be reached: {text}",
            fix="use local images, a mirror (registry-mirrors in /etc/docker/daemon.json), or `docker load`",
        )
    if any(sign in low for sign in ("manifest unknown", "pull access denied", "not found", "does not exist")):
        return ResourceError(
            f"there is no image {image}, neither on the Docker host nor in {registry}: {text}",
            fix="check name and tag, build the image first, or log in if the repository is private",
        )
    if "does not match the specified platform" in low or "no matching manifest" in low:
        return ResourceError(
            f"{image} does not exist for the platform wanted: {text}",
            fix="correct `platform`, or leave it out",
        )
    return ResourceError(f"{image}: {text}")
