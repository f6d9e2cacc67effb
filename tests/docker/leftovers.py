"""What builds leave behind: layers that no name leads to."""

from __future__ import annotations

import contextlib

import docker


def remove_labelled(client: docker.DockerClient, label: str) -> None:
    """Remove every unnamed image that carries the label; children go before parents."""
    found = client.api.images(all=True, filters={"label": label, "dangling": True})
    for image in sorted(found, key=lambda image: -image["Created"]):
        with contextlib.suppress(
            docker.errors.APIError
        ):  # a parent that its child took along, or still needs
            client.api.remove_image(image["Id"])
