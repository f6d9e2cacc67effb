"""The whole stack file as types: `load` reads it or tells all that is wrong with it.

Imports no pulumi, so that the verbs and editors have it without the SDK.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from components.host_spec import AnyHostSpec, LocalHost
from components.spec import Spec
from stacks import secrets
from stacks.claims import port_clashes, subnet_clashes
from stacks.gateway_settings import GatewaySettings, Unified
from stacks.image_settings import ImagesSettings
from stacks.problems import Problem, SettingsError, problems_of, without_errors
from stacks.secrets import SecretRequest

NAMESPACE: Final = "berth:"
REGISTRY_PASSWORD: Final = SecretRequest("registry_password", "the password of berth:images.login", 1)

SystemName = Literal["gateway"]


class StackSettings(Spec):
    """The settings below `berth:` in a stack file, secrets aside."""

    systems: Annotated[tuple[SystemName, ...], Field(min_length=1)]
    """What runs on the host."""
    host: AnyHostSpec = LocalHost()
    images: ImagesSettings = ImagesSettings()
    generate_secrets: bool = False
    """Let the `berth` command make missing secrets: strong, and stored encrypted in the stack file."""
    gateway: GatewaySettings = Unified()

    def chosen(self) -> Iterator[Any]:
        """The settings of the systems in `systems`."""
        return (getattr(self, name) for name in self.systems)

    def secret_requests(self) -> list[SecretRequest]:
        """The secrets that must be there."""
        requests = [request for system in self.chosen() for request in system.secrets()]
        if self.images.login is not None:
            requests.append(REGISTRY_PASSWORD)
        return requests

    def problems(self) -> Iterator[Problem]:
        """What is wrong between settings that are right on their own."""
        for name in sorted({name for name in self.systems if self.systems.count(name) > 1}):
            yield Problem("berth:systems", "given twice; allowed: each system once", repr(name))
        chosen = [getattr(self, name) for name in dict.fromkeys(self.systems)]
        yield from port_clashes([claim for system in chosen for claim in system.port_claims()])
        yield from subnet_clashes([claim for system in chosen for claim in system.subnet_claims()])
        if self.images.source == "registry" and self.images.tag is None:
            for system in chosen:
                for path, image in system.images():
                    if image is None:
                        reason = "required while berth:images has source registry and no tag"
                        yield Problem(path, reason)


@dataclass(frozen=True)
class Settings:
    """What a run works with. The secrets do not show in its representation."""

    stack: StackSettings
    secrets: Mapping[str, str] = field(repr=False)


def load(config: Mapping[str, str], secret_keys: Collection[str] = ()) -> Settings:
    """Read the configuration as the engine hands it over: `namespace:key` to text, objects as JSON.

    secret_keys: the keys whose values are stored encrypted.
    Raises SettingsError with every problem, naming no secret's value.
    """
    problems: list[Problem] = []
    raw = _decoded(config, problems)
    given = _secrets(raw.pop("secrets", {}), secret_keys, problems)
    try:
        stack = StackSettings.model_validate(raw)
    except ValidationError as error:
        problems += problems_of(NAMESPACE, raw, error)
        # What is left without the wrong settings still tells which secrets are missing: one report, not two.
        remains = _readable(raw)
        if remains is not None:
            problems += secrets.problems(remains.secret_requests(), given)
        raise SettingsError(problems) from None
    problems += stack.problems()
    problems += secrets.problems(stack.secret_requests(), given)
    if problems:
        raise SettingsError(problems)
    return Settings(stack, given)


def missing_secrets(config: Mapping[str, str]) -> list[SecretRequest]:
    """The secrets that the stack file still lacks; none while it is wrong otherwise (`load` says how)."""
    problems: list[Problem] = []
    raw = _decoded(config, problems)
    given = raw.pop("secrets", {})
    try:
        stack = StackSettings.model_validate(raw)
    except ValidationError:
        return []
    return secrets.missing(stack.secret_requests(), given if isinstance(given, dict) else {})


def json_schema() -> dict[str, Any]:
    """JSON Schema of a stack file, for editors."""
    settings = StackSettings.model_json_schema(ref_template="#/$defs/{model}")
    definitions = settings.pop("$defs")
    properties = {f"{NAMESPACE}{name}": schema for name, schema in settings["properties"].items()}
    properties[f"{NAMESPACE}secrets"] = {
        "description": "Each stored with `pulumi config set --secret --path berth:secrets.NAME`.",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {"secure": {"type": "string"}},
            "required": ["secure"],
            "additionalProperties": False,
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "berth stack file (Pulumi.<stack>.yaml)",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": properties,
                "required": [f"{NAMESPACE}{name}" for name in settings["required"]],
                "patternProperties": {
                    f"^{NAMESPACE}(?!({'|'.join([*settings['properties'], 'secrets'])})$)": False
                },
            },
            "secretsprovider": {"type": "string"},
            "encryptionsalt": {"type": "string"},
            "encryptedkey": {"type": "string"},
        },
        "required": ["config"],
        "$defs": definitions,
    }


def _decoded(config: Mapping[str, str], problems: list[Problem]) -> dict[str, Any]:
    """Our keys without the namespace, JSON decoded where it is JSON."""
    raw: dict[str, Any] = {}
    for key, text in config.items():
        namespace, _, name = key.partition(":")
        if namespace == "docker":
            problems.append(Problem(key, "would be ignored; allowed: berth:host"))
        if f"{namespace}:" == NAMESPACE:
            raw[name] = _value(text)
    return raw


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _secrets(given: Any, secret_keys: Collection[str], problems: list[Problem]) -> dict[str, str]:
    path = f"{NAMESPACE}secrets"
    if not isinstance(given, dict):
        problems.append(Problem(path, "allowed: a mapping of names to secret values"))
        return {}
    if given and path not in secret_keys:
        fix = f"allowed: values stored with `pulumi config set --secret --path {path}.NAME`"
        problems.append(Problem(path, f"stored as plain text; {fix}"))
    return given


def _readable(raw: dict[str, Any]) -> StackSettings | None:
    """What the settings are without the wrong ones; None when that is nothing."""
    for _ in range(8):
        try:
            return StackSettings.model_validate(raw)
        except ValidationError as error:
            raw = without_errors(raw, error)
    return None
