"""Asks the policy pack about a resource the way the engine does: an AnalyzeRequest in, diagnostics out."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import json_format, struct_pb2

from policies.analyzer import Analyzer, messages
from policies.pack import rules
from policies.rule import CONTAINER

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands on the wire for a string that the engine does not know yet."""


def secret(value: object) -> dict[str, object]:
    """What stands on the wire for a secret."""
    return {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": value}


@dataclass(frozen=True)
class Answer:
    """The diagnostics of one resource, as (rule, message)."""

    violations: list[tuple[str, str]]
    pending: list[tuple[str, str]]

    @property
    def broken(self) -> set[str]:
        return {rule for rule, _ in self.violations}

    @property
    def text(self) -> str:
        return "\n".join(message for _, message in self.violations)


def ask(
    inputs: dict[str, object], resource_type: str = CONTAINER, config: Mapping[str, str] | None = None
) -> Answer:
    """What the pack says about a resource named `web`. config: of the stack."""
    properties = struct_pb2.Struct()
    json_format.ParseDict(inputs, properties)
    request = messages.AnalyzeRequest(type=resource_type, name="web", urn="urn:web", properties=properties)
    analyzer = Analyzer("berth", "0.1.0", rules)
    analyzer.ConfigureStack(messages.AnalyzerStackConfigureRequest(config=config), None)
    response = analyzer.Analyze(request, None)
    by_level: dict[int, list[tuple[str, str]]] = {messages.MANDATORY: [], messages.ADVISORY: []}
    for diagnostic in response.diagnostics:
        assert diagnostic.urn == "urn:web"
        by_level[diagnostic.enforcementLevel].append((diagnostic.policyName, diagnostic.message))
    return Answer(by_level[messages.MANDATORY], by_level[messages.ADVISORY])


SOUND: dict[str, object] = {
    "image": "berth/web:0123456789ab",
    "healthcheck": {"tests": ["CMD", "probe", "http://127.0.0.1:8000/health"]},
    "memory": 128,
    "memorySwap": 128,
    "cpus": "0.5",
    "restart": "unless-stopped",
    "logDriver": "json-file",
    "logOpts": {"max-size": "10m", "max-file": "3"},
    "envs": ["PORT=8000", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password"],
    "ports": [{"internal": 8010, "external": 8010, "ip": "0.0.0.0"}],
    "mounts": [{"type": "volume", "source": "data", "target": "/data"}],
    "networkMode": "bridge",
    "networksAdvanced": [{"name": "gateway"}],
}
"""A container that breaks no rule."""


def container(**changes: object) -> dict[str, object]:
    """The sound container with some inputs changed; None removes one."""
    return {key: value for key, value in {**SOUND, **changes}.items() if value is not None}


def service(**changes: object) -> dict[str, object]:
    """A sound Swarm service. A change's name is its path below taskSpec, with `__` for the dots."""
    task: dict[str, object] = {
        "containerSpec": {"image": "web", "healthcheck": {"tests": ["CMD-SHELL", "probe URL"]}},
        "resources": {"limits": {"memoryBytes": 134217728, "nanoCpus": 500000000}},
        "restartPolicy": {"condition": "any"},
        "logDriver": {"name": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        "networksAdvanceds": [{"name": "gateway"}],
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = task
        for parent in parents:
            below = place[parent]
            assert isinstance(below, dict)
            place = below
        place[last] = value
    return {"taskSpec": task}
