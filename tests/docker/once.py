"""A container that runs to its end, and what it said."""

from __future__ import annotations

from typing import Any

import docker


def said(client: docker.DockerClient, image: str, command: list[str] | None = None, **options: Any) -> str:
    """Standard output of `command` in `image`; its container is gone afterwards.

    The SDK's `containers.run` follows the log while the container runs: of one that ends at once, on a busy
    engine, it sometimes got nothing. Here the log is read once all is written.

    Raises:
        AssertionError: It ended with another status than 0; with all that it said.
    """
    container = client.containers.run(image, command, detach=True, **options)
    try:
        status = container.wait()["StatusCode"]
        assert status == 0, (status, container.logs().decode(errors="replace"))
        return str(container.logs(stderr=False).decode())
    finally:
        container.remove(force=True, v=True)
