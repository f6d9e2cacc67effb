"""The passphrase that encrypts the stack's secrets. It is never printed and never an argument."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ops import places
from ops.errors import UserError
from ops.progress import say
from ops.project import StackFile


def generated_file() -> Path:
    """Where the passphrase lies that berth generates when the user gives none."""
    return places.config() / "passphrase"


def variables(stack: StackFile, *, create: bool) -> dict[str, str]:
    """The environment variables that tell Pulumi the passphrase; empty where the user's own already do.

    create: generate one when there is none. Raises UserError when the stack was encrypted with an
    unknown one.
    """
    if stack.secrets_provider != "passphrase":
        return {}
    if "PULUMI_CONFIG_PASSPHRASE" in os.environ or os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        return {}
    path = generated_file()
    if not path.exists():
        if stack.encrypted:
            raise UserError(
                f"{stack.path.name} is encrypted with a passphrase that is not on this machine",
                fix=f"set PULUMI_CONFIG_PASSPHRASE(_FILE), or copy the passphrase to {path} (mode 0600); "
                "look for it in your backup: the recorded state is encrypted with it as well. If it is lost "
                "for good, README.md (Passphrase lost) says how to start over with the data kept",
            )
        if create:
            _generate(path)
    return {"PULUMI_CONFIG_PASSPHRASE_FILE": str(path)}


def known(stack: StackFile) -> str | None:
    """The passphrase as Pulumi will read it; None where it needs none, or has none yet."""
    if stack.secrets_provider != "passphrase":
        return None
    if (given := os.environ.get("PULUMI_CONFIG_PASSPHRASE")) is not None:
        return given
    named = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    path = Path(named) if named else generated_file()
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        if not named:
            return None
        raise _unreadable(path, error) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"the passphrase in {path} cannot be read: {error}",
        fix="correct PULUMI_CONFIG_PASSPHRASE_FILE, or the file's mode",
    )


def _generate(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(32) + "\n")
    try:
        # link() refuses to overwrite: of two first runs at once, both use the passphrase that was
        # there first.
        path.hardlink_to(part)
    except FileExistsError:
        return
    finally:
        part.unlink()
    say(
        f"A passphrase for this machine's stacks was generated: {path} (back it up; without it their "
        "secrets are lost)"
    )
