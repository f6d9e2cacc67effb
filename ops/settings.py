"""The stack's settings, checked before anything slow happens, and its missing secrets."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ops import authority, sealed
from ops.errors import UserError
from ops.progress import say
from ops.project import StackFile
from stacks.secrets import SEALED, can_be_made
from stacks.stack_file import NAMESPACE, unknown_parts

if TYPE_CHECKING:
    from ops.stack import Stack
    from stacks.secrets import SecretRequest
    from stacks.settings import StackSettings

SECRETS = "berth:secrets"


def schema() -> dict[str, Any]:
    """JSON Schema of a stack file."""
    from stacks.settings import json_schema

    return json_schema()


def check(
    file: StackFile,
    *,
    secrets: bool = True,
    hosts: bool = True,
    opened: Mapping[str, str] = MappingProxyType({}),
) -> StackSettings:
    """The settings. Raises UserError with all that is wrong in the stack file; secrets' values stay sealed.

    secrets: also name the missing ones that only the user can set, certificate files that cannot serve, and,
    unless not hosts, what the host lacks. opened: values of secrets by their paths, to be looked at, too.
    """
    from stacks.problems import Problem, SettingsError
    from stacks.secrets import plain_names
    from stacks.settings import load

    sealed.check(file)
    missing = missing_secrets(file)
    unset = [it for it in missing if not (_may_generate(file) and can_be_made(it))] if secrets else []
    config = _as_engine_hands_it_over(file)
    made = [request.name for request in missing if request not in unset]
    if made or opened:
        given = {name: opened.get(f"{SECRETS}.{name}", value) for name, value in _given(file).items()}
        config[SECRETS] = json.dumps(given | dict.fromkeys(made, SEALED), default=str)
    try:
        found: StackSettings | None = load(
            config,
            {SECRETS},
            stack=file.name,
            certificates=secrets,
            hosts=secrets and hosts,
            plain=plain_names(file.config.get("secrets")),
        ).stack
        problems: tuple[Problem, ...] = ()
    except SettingsError as error:
        found, problems = None, error.problems
    if (problems := (*unknown_parts(file.content), *problems)) or found is None:
        commands = " && ".join(
            [f'eval "$(./berth env -s {file.name})"']
            + [f"pulumi config set --secret --path {it.config_path} --stack {file.name}" for it in unset]
        )
        fix = f"correct {file.path.name} as each line says; ./berth config schema prints what is allowed"
        if unset:
            others = {problem.path for problem in problems} - {it.config_path for it in unset}
            fix = f"{fix}; then {commands}" if others else commands
        raise UserError(f"{file.path.name}: {SettingsError(problems)}", fix=fix) from None
    return found


def ensure_secrets(stack: Stack, *, renewed: Sequence[str] = ()) -> None:
    """Makes the secrets that are missing and stores them encrypted, where the stack allows that.

    A deployed system has used its secrets, and new ones could lock it out of its own data: for it, only those
    in `renewed` are made. Raises UserError naming the others, before the stack file is touched.
    """
    file, pulumi = stack.file, stack.pulumi
    missing = [it for it in missing_secrets(file) if can_be_made(it)] if _may_generate(file) else []
    names = [request.name for request in missing]
    if unknown := [name for name in renewed if name not in names]:
        raise UserError(
            f"--new-secret {unknown[0]}: {file.path.name} has it already, or nothing asks for it (missing: "
            f"{', '.join(names) or 'none'})",
            fix="leave it away; to change a secret that is set, use `pulumi config set --secret`",
        )
    if not missing:
        return
    deployed = stack.deployed_systems()
    used = {request.name for request in missing_secrets(file, deployed=deployed)} if deployed else set()
    if lost := [name for name in names if name in used and name not in renewed]:
        flags = " ".join(f"--new-secret {name}" for name in lost)
        raise UserError(
            f"stack {file.name} is deployed, but {file.path.name} lacks its secret(s) {', '.join(lost)}; "
            "nothing was changed",
            fix=f"restore the `secure:` lines below berth:secrets and `encryptionsalt` in {file.path.name}; "
            f"if new values may take their place, or are the first ones: ./berth up -s {file.name} {flags}",
        )
    stack.select()
    made = []
    for request in missing:
        # By stdin: arguments can be read by everybody on the machine.
        pulumi.capture(
            "config",
            "set",
            "--secret",
            "--path",
            request.config_path,
            "--stack",
            file.name,
            text=_made(request),
        )
        made.append(request.config_path)
    if made:
        say(f"generated and stored encrypted in {file.path.name}: {', '.join(made)}")


def _made(request: SecretRequest) -> str:
    from stacks.secrets import CertificateRequest

    return (
        request.issue(authority.ensure()) if isinstance(request, CertificateRequest) else request.generate()
    )


def _may_generate(file: StackFile) -> bool:
    # `pulumi config set` rewrites the file and turns booleans into text.
    return str(file.config.get("generate_secrets")).lower() == "true"


def missing_secrets(file: StackFile, *, deployed: Collection[str] = ()) -> list[SecretRequest]:
    """The secrets that the stack needs and its file lacks; `deployed` as in `stacks.settings`."""
    from stacks import settings

    return settings.missing_secrets(_as_engine_hands_it_over(file), deployed=deployed)


def _as_engine_hands_it_over(file: StackFile) -> dict[str, str]:
    # A date is the one YAML scalar that JSON lacks; the engine hands it over as text.
    handed = {
        f"berth:{key}": value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in file.config.items()
    }
    others = [str(key) for key in file.content.get("config") or {}]
    handed |= {key: "" for key in others if not key.startswith(NAMESPACE)}
    if given := _given(file):
        handed["berth:secrets"] = json.dumps(given, default=str)
    return handed


def _given(file: StackFile) -> dict[str, Any]:
    """The secrets in the file; a sealed one is a mapping with one key, `secure`."""
    given = file.config.get("secrets")
    if not isinstance(given, dict):
        return {}
    return {
        str(name): SEALED if isinstance(value, dict) and value.keys() == {"secure"} else value
        for name, value in given.items()
    }
