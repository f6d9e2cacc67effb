"""Systems as a stack file of a few words makes them, and what a test reads of their parts."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from stacks.certificates import Authority
from stacks.secrets import CertificateRequest
from stacks.settings import missing_secrets
from tests.unit.program import Registration
from tests.unit.systems import HIDDEN, system


@cache
def authority() -> Authority:
    """Signs what these stacks need."""
    return Authority.new("tests")


def made(name: str, settings: dict[str, Any] | None = None, **stack: Any) -> dict[str, Registration]:
    """What a stack with this one system registers, by name."""
    asked = missing_secrets({"berth:systems": f'["{name}"]', f"berth:{name}": json.dumps(settings or {})})
    secrets = {
        request.name: request.issue(authority())
        if isinstance(request, CertificateRequest)
        else HIDDEN.ljust(request.min_length, "-")
        for request in asked
    }
    return {
        f"{item.type.rpartition(':')[2]} {item.name}": item
        for item in system(name, settings or {}, secrets, **stack)
    }


@cache
def default(name: str) -> dict[str, Registration]:
    """The system as it is when nothing is said of it; made once."""
    return made(name)


def container(found: dict[str, Registration], name: str) -> dict[str, Any]:
    """The inputs of one container."""
    return found[f"Container {name}"].inputs


def files(found: dict[str, Registration], owner: str) -> dict[str, str]:
    """The rendered files of one container, by path."""
    uploads = container(found, f"{owner}-config-carrier")["uploads"]
    return {upload["file"]: upload["content"] for upload in uploads}


def nginx(found: dict[str, Registration], name: str) -> str:
    """The edge's configuration."""
    return files(found, f"{name}-edge-nginx")["/etc/edge/config/nginx.conf"]


def location(text: str, path: str) -> str:
    """The body of one location of nginx."""
    match = re.search(rf"location {re.escape(path)} \{{\n(.*?)\n {{8}}\}}", text, re.DOTALL)
    assert match, path
    return match[1]


def waits_for(found: dict[str, Registration], name: str) -> set[str]:
    """All that a resource comes after, however indirectly."""
    before: set[str] = set()
    wanted = [name]
    while wanted:
        asked = found[f"Container {wanted.pop()}"].options.get("depends_on", [])
        wanted += [one for one in asked if one not in before and f"Container {one}" in found]
        before |= {*asked}
    return before


def environment(found: dict[str, Registration], name: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in container(found, name)["envs"])
