"""Whole systems without an engine: what they register, and the rules that each of their containers keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stacks.build import build
from stacks.settings import load
from tests.unit.program import Registration, register

PROJECT = Path(__file__).parents[2]
HIDDEN = "a-value-that-must-not-show"
"""Part of every secret that is given here."""


def system(name: str, settings: dict[str, Any], secrets: dict[str, str], **stack: Any) -> list[Registration]:
    """What a stack with this one system registers. stack: other settings, such as `images`."""
    config = {"systems": [name], "images": {"source": "local"}, name: settings, **stack}
    raw = {f"berth:{key}": json.dumps(value) for key, value in config.items()}
    if secrets:
        raw["berth:secrets"] = json.dumps(secrets)
    return register(lambda: build(load(raw, ["berth:secrets"], stack="dev"), project=PROJECT))


def plain(registrations: list[Registration]) -> list[dict[str, Any]]:
    """As a snapshot keeps it: tags that follow the files of workloads/ are left out. No secret shows."""
    text = json.dumps([vars(registration) for registration in registrations])
    assert HIDDEN not in text and "PRIVATE KEY" not in text
    return json.loads(re.sub(r"(berth/[a-z-]+):[0-9a-f]{12}", r"\1:<content>", text))  # type: ignore[no-any-return]


def containers(registrations: list[Registration]) -> list[Registration]:
    """Those that run, jobs among them."""
    found = [item for item in registrations if item.type.endswith(":Container")]
    return [item for item in found if item.inputs.get("start", True)]


def services(registrations: list[Registration]) -> list[Registration]:
    """Those that run until they are told to stop."""
    return [item for item in containers(registrations) if item.inputs.get("mustRun", True)]


def published(registrations: list[Registration]) -> dict[str, Any]:
    """Container to its ports on the host."""
    return {item.name: item.inputs["ports"] for item in containers(registrations) if item.inputs.get("ports")}


def kept(registrations: list[Registration]) -> set[str]:
    """The volumes that are protected, and retained when the stack goes."""
    return {
        item.name
        for item in registrations
        if item.type.endswith(":Volume")
        and item.options.get("protect")
        and item.options.get("retain_on_delete")
    }


def labels(container: Registration) -> dict[str, str]:
    """Name to value."""
    return {label["label"]: label["value"] for label in container.inputs["labels"]}


def keeps_the_rules(container: Registration, *, system: str) -> None:
    """What systems.md asks of every container, whoever runs in it. Fails the test otherwise."""
    inputs, name = container.inputs, container.name
    assert inputs["readOnly"] and not inputs.get("privileged"), name
    assert inputs["capabilities"]["drops"] == ["ALL"], name
    assert inputs["securityOpts"] == ["no-new-privileges"], name
    assert inputs["memory"] == inputs["memorySwap"] > 0 and float(inputs["cpus"]) > 0, name
    assert inputs["init"] and inputs["logDriver"] == "json-file", name
    found = labels(container)
    assert (found["berth.stack"], found["berth.system"]) == ("dev", system) and found["berth.service"], name
    if inputs.get("mustRun", True):
        assert inputs["restart"] == "unless-stopped" and inputs["wait"], name
        assert inputs["healthcheck"]["tests"][0] == "CMD" and inputs["healthcheck"]["tests"][1:], name
        assert inputs["logOpts"] == {"max-file": "3", "max-size": "10m"}, name
        assert inputs["user"] != "0:0" and "adds" not in inputs["capabilities"], name
    else:
        assert inputs["restart"] == "no", name
