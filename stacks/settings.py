"""The whole stack file as types: `load` reads it or tells all that is wrong with it.

Imports no pulumi, so that the verbs and editors have it without the SDK.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model

from components.cloud.firewall import OperatorRange
from components.host_spec import AnyHostSpec, EcsHost, LocalHost
from components.spec import Spec
from stacks import secrets
from stacks.alert_settings import PREFIX, AnyAlert
from stacks.claims import SubnetClaim, closed_ports, network_clashes, port_clashes, subnet_clashes
from stacks.image_settings import ImagesSettings
from stacks.problems import Problem, SettingsError, any_within, read
from stacks.secrets import SecretRequest
from stacks.stack_file import NAMESPACE, PARTS, foreign
from stacks.system import SystemSettings
from stacks.systems import SYSTEMS

REGISTRY_PASSWORD: Final = SecretRequest("registry_password", "the password of berth:images.login", 1)


def _truth(value: object) -> bool:
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise ValueError("allowed: true or false")


# `pulumi config set` writes "true" with quotes.
Truth = Annotated[bool, BeforeValidator(_truth), WithJsonSchema({"enum": [True, False, "true", "false"]})]


class StackSettings(Spec):
    """The settings below `berth:` in a stack file, secrets and those of the systems aside."""

    systems: Annotated[tuple[str, ...], Field(min_length=1)]
    """What runs on the host."""
    host: AnyHostSpec = LocalHost()
    images: ImagesSettings = ImagesSettings()
    operators: Annotated[tuple[OperatorRange, ...], Field(max_length=20)] = ()
    """Networks of those who run this stack, such as that of a VPN: on a private address of the host in one of
    them, any port may be published. Where a firewall or a translation of addresses stands before the host,
    it must keep others from that address."""
    alerts: Annotated[tuple[AnyAlert, ...], Field(max_length=10)] = ()
    """Whom `./berth health --alert` tells of what is not healthy."""
    generate_secrets: Truth = False
    """Let the `berth` command make missing secrets: strong, and stored encrypted in the stack file."""

    def chosen(self) -> dict[str, SystemSettings]:
        """The systems in `systems`, each once, with their settings."""
        return {name: getattr(self, name) for name in self.systems}

    def secret_requests(
        self, dropped: Collection[str] = (), *, without: Collection[str] = ()
    ) -> list[SecretRequest]:
        """The secrets that must be there; no default that stands for a wrong system asks for any.

        without: systems that are not asked.
        """
        requests = [
            request
            for name, system in self.chosen().items()
            if f"{NAMESPACE}{name}" not in dropped and name not in without
            for request in system.secrets()
        ]
        if self.images.login is not None:
            requests.append(REGISTRY_PASSWORD)
        requests += [request for alert in self.alerts for request in alert.secrets()]
        return requests

    def may_be_asked(self, names: Iterable[str], dropped: Collection[str]) -> set[str]:
        """Those of `names` that what was wrong could have asked for as secrets."""
        names = set(names)
        if any(any_within([path], [f"{NAMESPACE}systems"]) for path in dropped):
            return names
        if any(f"{NAMESPACE}{system}" in dropped for system in self.systems):
            return names
        # A part that was left out may have asked for one of its system's own.
        prefixes = tuple(
            f"{system.replace('-', '_')}_"
            for system in self.systems
            if any_within(dropped, [f"{NAMESPACE}{system}"])
        )
        login = {f"{NAMESPACE}images", f"{NAMESPACE}images.login"}
        known = {REGISTRY_PASSWORD.name} if login & set(dropped) else set()
        if any_within(dropped, [f"{NAMESPACE}alerts"]):
            prefixes = (*prefixes, PREFIX)
        return {name for name in names if name in known or name.startswith(prefixes)}

    def problems(self, dropped: Collection[str] = ()) -> Iterator[Problem]:
        """What is wrong between settings that are right on their own.

        dropped: paths of settings that were wrong; nothing is said about the defaults that stand for them.
        """
        for name in sorted({name for name in self.systems if self.systems.count(name) > 1}):
            yield Problem(f"{NAMESPACE}systems", "given twice; allowed: each system once", repr(name))
        chosen = self.chosen().values()
        ports = [claim for system in chosen for claim in system.port_claims() if claim.known(dropped)]
        if not any_within([f"{NAMESPACE}operators"], dropped):
            yield from closed_ports(ports, self.operators)
        yield from port_clashes(ports)
        subnets = [*self._host_subnets(), *(claim for system in chosen for claim in system.subnet_claims())]
        yield from subnet_clashes([claim for claim in subnets if claim.known(dropped)])
        networks = [claim for system in chosen for claim in system.network_claims()]
        yield from network_clashes([claim for claim in networks if claim.known(dropped)])
        if self.images.source == "registry" and self.images.tag is None:
            for system in chosen:
                for image in system.images():
                    if image.choice is None and not any_within(
                        [image.path, f"{NAMESPACE}images.tag"], dropped
                    ):
                        reason = "required while berth:images has source registry and no tag"
                        yield Problem(image.path, reason)
        made = sorted({image.role for system in chosen for image in system.images() if image.ours})
        for role in sorted({*self.images.bases} - {*made}):
            if not any_within([f"{NAMESPACE}{name}" for name in self.systems], dropped):
                reason = f"nothing here is made from workloads/{role}; made are: {', '.join(made) or 'none'}"
                yield Problem(f"{NAMESPACE}images.bases.{role}", reason)

    def certificate_problems(self, dropped: Collection[str] = ()) -> Iterator[Problem]:
        """What is wrong with certificates that are given as files; nothing about what was wrong already."""
        for system in self.chosen().values():
            yield from (it for it in system.certificate_problems() if not any_within([it.path], dropped))

    def host_problems(self, dropped: Collection[str] = ()) -> Iterator[Problem]:
        """What a known host lacks for the systems; nothing about what was wrong already."""
        for system in self.chosen().values():
            found = system.host_problems(self.host)
            yield from (it for it in found if not any_within([it.path, f"{NAMESPACE}host"], dropped))

    def _host_subnets(self) -> Iterator[SubnetClaim]:
        """The range that the host itself is in."""
        if isinstance(self.host, EcsHost):
            yield SubnetClaim(f"{NAMESPACE}host.vpc_cidr", self.host.vpc_cidr)


def with_systems(systems: Mapping[str, Any], names: Iterable[str] = ()) -> type[StackSettings]:
    """The settings of a stack that may choose from `systems`, by their names.

    names: further ones that it may choose, and does not speak of.
    """
    fields: Any = {name: (settings, Field({}, validate_default=True)) for name, settings in systems.items()}
    allowed = tuple(dict.fromkeys([*names, *systems]))
    fields["systems"] = Annotated[tuple[Literal[allowed], ...], Field(min_length=1)]  # type: ignore[valid-type]
    return create_model(StackSettings.__name__, __base__=StackSettings, __module__=__name__, **fields)


def _model(raw: Mapping[str, Any]) -> type[StackSettings]:
    """For a stack file that says this. The systems that it does not speak of are not loaded."""
    chosen = raw.get("systems")
    named = {*raw, *(str(name) for name in (chosen if isinstance(chosen, list) else ()))}
    return with_systems(
        {name: system.load_settings() for name, system in SYSTEMS.items() if name in named}, SYSTEMS
    )


@dataclass(frozen=True)
class Settings:
    """What a run works with. The secrets do not show in its representation."""

    stack: StackSettings
    secrets: Mapping[str, str] = field(repr=False)


def load(
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    *,
    stack: str,
    model: type[StackSettings] | None = None,
    certificates: bool = True,
    hosts: bool = False,
    plain: Collection[str] = (),
) -> Settings:
    """Read the configuration as the engine hands it over: `namespace:key` to text, objects as JSON.

    secret_keys: the keys whose values are stored encrypted. stack: its name, for the commands in the report.
    certificates: also read those that are given as files; a stack that is destroyed needs them no more.
    hosts: also look what the host lacks for the systems, before anything is changed there.
    plain: the secrets that the stack file has as plain text; the engine takes all for encrypted if one is.
    Raises SettingsError with every problem, naming no secret's value.
    """
    problems: list[Problem] = []
    raw = _decoded(config, problems)
    if plain:
        secret_keys = {*secret_keys, f"{NAMESPACE}secrets"}  # each is told by its name
        problems += secrets.plain_problems(plain, stack)
    problems += _without_path(raw, stack)
    given = _secrets(raw.pop("secrets", {}), secret_keys, problems)
    reading = read(NAMESPACE, raw, (model or _model(raw)).model_validate)
    problems += reading.problems
    found: StackSettings | None = reading.found
    if found is not None:
        problems += found.problems(reading.dropped)
        if certificates:
            problems += found.certificate_problems(reading.dropped)
        if hosts:
            problems += found.host_problems(reading.dropped)
        if given is not None:
            asked = found.secret_requests(reading.dropped)
            spared = found.may_be_asked(given, reading.dropped)
            problems += secrets.problems(asked, given, stack=stack, spared=spared)
            problems = list(_misplaced(problems, {request.name for request in asked}, stack))
    if found is None or given is None or problems:
        raise SettingsError(problems)
    return Settings(found, given)


def missing_secrets(config: Mapping[str, str], *, deployed: Collection[str] = ()) -> list[SecretRequest]:
    """The secrets that the stack file still lacks, as far as what is right in it tells.

    deployed: given, only those that one of these systems asks for.
    """
    ignored: list[Problem] = []
    raw = _decoded(config, ignored)
    given = raw.pop("secrets", {})
    reading = read(NAMESPACE, raw, _model(raw).model_validate)
    if reading.found is None or not isinstance(given, dict):
        return []
    others = set(reading.found.systems) - set(deployed) if deployed else ()
    return secrets.missing(reading.found.secret_requests(reading.dropped, without=others), given)


def json_schema() -> dict[str, Any]:
    """JSON Schema of a stack file, for editors."""
    model = with_systems({name: system.load_settings() for name, system in SYSTEMS.items()})
    settings = model.model_json_schema(ref_template="#/$defs/{model}")
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
                    "^docker:|^[^:]*$": False,
                    f"^{NAMESPACE}(?!({'|'.join([*settings['properties'], 'secrets'])})$)": False,
                },
            },
            **{name: {"type": "string"} for name in PARTS if name not in ("config", "environment")},
            "environment": {},
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _decoded(config: Mapping[str, str], problems: list[Problem]) -> dict[str, Any]:
    """Our keys without the namespace, JSON decoded where it is JSON."""
    raw: dict[str, Any] = {}
    for key, text in config.items():
        namespace, _, name = key.partition(":")
        if f"{namespace}:" == NAMESPACE:
            raw[name] = _value(text)
        elif problem := foreign(key):
            problems.append(problem)
    return raw


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _without_path(raw: dict[str, Any], stack: str) -> Iterator[Problem]:
    """Takes out, and tells, what `pulumi config set` without --path made: keys with a dot in them."""
    for name in [name for name in raw if name.startswith(("secrets.", "secrets["))]:
        del raw[name]
        yield Problem(f'{NAMESPACE}["{name}"]', secrets.misplaced(f"{NAMESPACE}{name}", stack))


def _misplaced(problems: Iterable[Problem], names: Collection[str], stack: str) -> Iterator[Problem]:
    """The problems, with those settings called secrets that have the name of one."""
    for problem in problems:
        key = problem.path.removeprefix(NAMESPACE)
        if key in names and f"{NAMESPACE}{key}" == problem.path:
            yield Problem(problem.path, secrets.misplaced(problem.path, stack))
        else:
            yield problem


def _secrets(given: Any, secret_keys: Collection[str], problems: list[Problem]) -> dict[str, str] | None:
    path = f"{NAMESPACE}secrets"
    if not isinstance(given, dict):
        problems.append(Problem(path, "allowed: a mapping of names to secret values"))
        return None
    if given and path not in secret_keys:
        fix = f"allowed: values stored with `pulumi config set --secret --path {path}.NAME`"
        problems.append(Problem(path, f"stored as plain text; {fix}"))
    return given
