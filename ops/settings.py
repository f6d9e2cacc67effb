"""The stack's settings, checked before anything slow happens, and its missing secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ops.errors import UserError
from ops.progress import say
from ops.project import StackFile

if TYPE_CHECKING:
    from ops.pulumi import Pulumi
    from stacks.secrets import SecretRequest

# Stands for a secret whose value only the engine can read: long enough for every rule.
_SEALED = "x" * 64


def schema() -> dict[str, Any]:
    """JSON Schema of a stack file."""
    from stacks.settings import json_schema

    return json_schema()


def check(file: StackFile) -> None:
    """Raises UserError with everything that is wrong in the stack file. The values of secrets stay sealed."""
    from stacks.problems import SettingsError
    from stacks.settings import load

    config = _as_engine_hands_it_over(file)
    if _may_generate(file):
        given = dict.fromkeys(_names(file), _SEALED) | {request.name: _SEALED for request in _missing(file)}
        config["berth:secrets"] = json.dumps(given)
    try:
        load(config, _sealed_keys(file), stack=file.name)
    except SettingsError as error:
        raise UserError(
            f"{file.path.name}: {error}",
            fix=f"correct {file.path.name} as each line says; ./berth config schema prints what is allowed",
        ) from None


def ensure_secrets(file: StackFile, pulumi: Pulumi) -> None:
    """Makes the secrets that are missing and stores them encrypted, where the stack allows that."""
    if not _may_generate(file):
        return
    made = []
    for request in _missing(file):
        # By stdin: arguments can be read by everybody on the machine.
        pulumi.capture(
            "config",
            "set",
            "--secret",
            "--path",
            request.config_path,
            "--stack",
            file.name,
            text=request.generate(),
        )
        made.append(request.config_path)
    if made:
        say(f"generated and stored encrypted in {file.path.name}: {', '.join(made)}")


def _may_generate(file: StackFile) -> bool:
    # `pulumi config set` rewrites the file and turns booleans into text.
    return str(file.config.get("generate_secrets")).lower() == "true"


def _missing(file: StackFile) -> list[SecretRequest]:
    from stacks.settings import missing_secrets

    return missing_secrets(_as_engine_hands_it_over(file))


def _as_engine_hands_it_over(file: StackFile) -> dict[str, str]:
    config = file.content.get("config") or {}
    handed = {
        str(key): value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }
    if _names(file):
        handed["berth:secrets"] = json.dumps(dict.fromkeys(_names(file), _SEALED))
    return handed


def _names(file: StackFile) -> list[str]:
    """The secrets that are set; each is a mapping with one key, `secure`."""
    given = file.config.get("secrets")
    if not isinstance(given, dict):
        return []
    return [str(name) for name, value in given.items() if isinstance(value, dict) and "secure" in value]


def _sealed_keys(file: StackFile) -> set[str]:
    given = file.config.get("secrets")
    plain = isinstance(given, dict) and any(not isinstance(value, dict) for value in given.values())
    return set() if plain else {"berth:secrets"}
