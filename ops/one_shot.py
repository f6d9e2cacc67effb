"""A container that answers one question on the engine's host, and is gone afterwards.

Only a kill -9 of this process, or an engine that does not answer, leaves it: `docker ps -a --filter
label=berth.preflight` finds it, and nothing else has that label.
"""

from __future__ import annotations

import re
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ops.errors import UserError
from ops.progress import say

if TYPE_CHECKING:
    from docker import DockerClient

LABEL = "berth.preflight"
# Seconds for each call; a driver that no program holds open may take twenty to wake its GPUs.
DEADLINE = 60
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NO_SHELL = re.compile(r'exec: "?sh"?:|executable file .?sh.? not found')


class NoShellError(UserError):
    """The image has no `sh`: that says nothing of the host."""


class LeftBehindError(Exception):
    """The container could not be removed. Not a UserError: no answer makes up for it."""

    def __init__(self, name: str, error: object) -> None:
        self.cause = f"the container {name} of this look may be left, as it cannot be removed: {error}"
        self.fix = f"docker rm -f -v {name}"
        super().__init__(f"{self.cause}\n  fix: {self.fix}")


def ask_any(
    client: DockerClient,
    images: Sequence[str],
    script: str,
    *,
    host: Mapping[str, Any],
    stack: str,
    stderr: bool = True,
) -> tuple[str, int, str]:
    """`ask` with the first of these images that has a shell, and which one that is. Raises as `ask` does."""
    for image in images[:-1]:
        try:
            return image, *ask(client, image, script, host=host, stack=stack, stderr=stderr)
        except NoShellError:
            continue
    return images[-1], *ask(client, images[-1], script, host=host, stack=stack, stderr=stderr)


def ask(
    client: DockerClient,
    image: str,
    script: str,
    *,
    host: Mapping[str, Any],
    stack: str,
    stderr: bool = True,
) -> tuple[int, str]:
    """The exit status and the output of a shell script in a container of an image that is there.

    It may write nothing and has no capability. host: more of the engine's HostConfig. stack: whose look it
    is, for its label. stderr: whether that belongs to the output. Ctrl-C, SIGTERM and SIGHUP wait until it is
    made or removed, and end it otherwise; a second Ctrl-C does not wait. Raises UserError with the engine's
    words where it cannot be made or started (NoShellError: for want of a shell), or does not end. Raises
    LeftBehindError, with the former as its context.
    """
    import requests
    from docker.errors import APIError

    from offline.docker.container_failure import not_created, not_started
    from offline.provider.resource import ResourceError

    api: Any = client.api
    name = f"berth-preflight-{secrets.token_hex(6)}"
    answered = False
    with _Interrupts() as interrupts, _hurried(api):
        try:
            try:
                api.create_container_from_config(_config(image, script, host, stack), name)
                answered = True
            except APIError as error:
                answered = True
                raise not_created(name, error) from None
            with interrupts.allowed():
                try:
                    api.start(name)
                except APIError as error:
                    raise not_started(api, {"name": name}, error) from None
                status = int(api.wait(name, timeout=DEADLINE)["StatusCode"])
                output: bytes = api.logs(name, stdout=True, stderr=stderr)
        except ResourceError as refused:
            cause = refused.cause.replace(f"container '{name}'", f"a container of {image}")
            if _NO_SHELL.search(cause):
                raise NoShellError(
                    cause, fix="look there by hand: the image has no shell to ask with"
                ) from None
            raise UserError(cause, fix=refused.fix or _FIX) from None
        except requests.RequestException as error:
            if "timed out" not in str(error):
                raise
            raise UserError(
                f"a container of {image} was not started, or did not end, within {DEADLINE} s",
                fix="see the engine's log on its host (journalctl -u docker)",
            ) from None
        finally:
            _remove(client, name, patience=0 if answered else _LATE)
    return status, output.decode(errors="replace")


_LATE = 5.0
"""Seconds after which a container that the engine did not say it made is believed not to come."""

_FIX = "make the same work there by hand with `docker run`, then look again"


def _config(image: str, script: str, host: Mapping[str, Any], stack: str) -> dict[str, Any]:
    return {
        "Image": image,
        "Entrypoint": ["sh", "-c"],
        "Cmd": [script],
        "User": "65534:65534",
        "Labels": {LABEL: stack},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 64,
            "Memory": 512 << 20,
            # Whatever the engine's own driver is, its output must be readable here.
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
            **host,
        },
    }


@contextmanager
def _hurried(api: Any) -> Iterator[None]:
    """Each call has an end: a hook that hangs keeps the engine from answering."""
    before, api.timeout = api.timeout, DEADLINE
    try:
        yield
    finally:
        api.timeout = before


def _remove(client: DockerClient, name: str, *, patience: float) -> None:
    """Removes the container and the volumes that its image asked for; returns when it is gone.

    patience: seconds in which it may still appear. Raises LeftBehindError. What is left by a second Ctrl-C is
    named.
    """
    import requests
    from docker.errors import APIError, NotFound

    began = time.monotonic()
    try:
        while True:
            try:
                client.api.remove_container(name, force=True, v=True)
            except NotFound:
                if time.monotonic() - began >= patience:
                    return
                time.sleep(0.2)
            except APIError as error:
                if time.monotonic() - began > DEADLINE:
                    raise LeftBehindError(name, error.explanation) from None
                time.sleep(0.2)
            except (requests.RequestException, OSError) as error:
                raise LeftBehindError(name, error) from None
    except KeyboardInterrupt:
        say(str(LeftBehindError(name, "interrupted again")))
        raise


class _Interrupts:
    """Signals that end a command: held back, except where they are allowed. The first one counts.

    A second Ctrl-C is never held back; one that was ignored before (nohup) stays so.
    """

    def __init__(self) -> None:
        self._held, self._came = True, False
        self._before: Mapping[int, Any] = {}

    def __enter__(self) -> _Interrupts:
        self._before = {
            number: signal.signal(number, self._take)
            for number in _SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, *_rest: object
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._came and not isinstance(error, KeyboardInterrupt):
            if isinstance(error, LeftBehindError):
                say(str(error))
            raise KeyboardInterrupt from None

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """The block ends at once when a signal comes, or came before it. Raises KeyboardInterrupt."""
        self._held = False
        try:
            if self._came:
                raise KeyboardInterrupt
            yield
        finally:
            self._held = True

    def _take(self, number: int, _frame: FrameType | None) -> None:
        first, self._came = not self._came, True
        if (first and not self._held) or (not first and number == signal.SIGINT):
            self._held = True
            raise KeyboardInterrupt


def images_there(client: DockerClient, names: Sequence[str]) -> list[str]:
    """The images of these names, or of these repositories, that the engine has: one for each, in order."""
    listed = client.api.images()
    there = [
        str(tag) for image in listed for tag in (*(image["RepoTags"] or ()), *(image["RepoDigests"] or ()))
    ]
    found = (next((tag for tag in there if name in (tag, tag.rpartition(":")[0])), None) for name in names)
    return list(dict.fromkeys(tag for tag in found if tag is not None))
