"""The values that Pulumi seals with a passphrase: found in a stack file, and looked at without the engine.

A value is `v1:NONCE:DATA` (AES-256-GCM, base64); the salt is `v1:SALT:` before a sealed word that is known.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.errors import UserError
from ops.project import StackFile

_SALT = "encryptionsalt"
_ROUNDS = 1_000_000
_NONCE, _TAG = 12, 16  # bytes
_KNOWN = b"pulumi"


@dataclass(frozen=True)
class Sealed:
    """A `secure:` value and its place, as `pulumi config set --path` takes it."""

    path: str
    value: Any = None

    @property
    def parts(self) -> tuple[bytes, bytes] | None:
        """Nonce and data; None when it is not what Pulumi writes."""
        return _parts(self.value)

    def opened(self, key: bytes) -> bytes | None:
        """What is sealed; None when the key does not open it."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self.parts is None:
            return None
        try:
            return AESGCM(key).decrypt(*self.parts, None)
        except InvalidTag:
            return None


def check(file: StackFile) -> None:
    """Raises UserError naming what no passphrase could open: the engine would name nothing."""
    if file.secrets_provider != "passphrase":
        return  # how others seal is theirs
    values = list(find(file))
    wrong = [f"{it.path}: its `secure:` is not what Pulumi writes" for it in values if it.parts is None]
    salt = file.content.get(_SALT)
    if salt is None and values:
        wrong.insert(0, f"{_SALT}: missing, but the file holds sealed secrets")
    elif salt is not None and _salt(salt) is None:
        wrong.insert(0, f"{_SALT}: not what Pulumi writes")
    if wrong:
        raise _refused(file, wrong, [it for it in values if it.parts is None])


def verify(file: StackFile, passphrase: str) -> None:
    """Raises UserError when the passphrase does not open the file's salt, or names what it does not open.

    What is not even whole is for `check` to tell.
    """
    opened(file, passphrase)


def opened(file: StackFile, passphrase: str) -> dict[str, str]:
    """The sealed values by their paths. Raises UserError as `verify` does; nobody shows what is in them."""
    salted = _salt(file.content.get(_SALT))
    if salted is None:
        return {}
    salt, known = salted
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS)
    if known.opened(key) != _KNOWN:
        raise UserError(
            f"the passphrase does not fit {file.path.name}: its secrets were encrypted with another one",
            fix="set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to the one it was made "
            f"with; if {_SALT} was changed since, restore it",
        )
    values = {it: it.opened(key) for it in find(file) if it.parts}
    if shut := [it for it, value in values.items() if value is None]:
        words = "its `secure:` was changed, or sealed for another salt"
        raise _refused(file, [f"{it.path}: {words}" for it in shut], shut)
    return {it.path: value.decode(errors="replace") for it, value in values.items() if value is not None}


def find(file: StackFile) -> Iterator[Sealed]:
    """All sealed values of the file's settings."""
    config = file.content.get("config")
    for key, value in config.items() if isinstance(config, dict) else ():
        yield from _below(str(key), value)


def _below(path: str, value: Any) -> Iterator[Sealed]:
    if isinstance(value, dict):
        if value.keys() == {"secure"}:
            yield Sealed(path, value["secure"])
            return
        for key, item in value.items():
            yield from _below(f"{path}.{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _below(f"{path}[{index}]", item)


def _salt(text: Any) -> tuple[bytes, Sealed] | None:
    version, _, rest = str(text).partition(":")
    salt, _, known = rest.partition(":")
    try:
        found = base64.b64decode(salt, validate=True), Sealed(_SALT, known)
    except binascii.Error:
        return None
    return found if version == "v1" and found[0] and found[1].parts else None


def _parts(text: Any) -> tuple[bytes, bytes] | None:
    if not isinstance(text, str) or not text.startswith("v1:") or text.count(":") != 2:
        return None
    try:
        nonce, data = (base64.b64decode(part, validate=True) for part in text.split(":")[1:])
    except binascii.Error:
        return None
    return (nonce, data) if len(nonce) == _NONCE and len(data) >= _TAG else None


def _refused(file: StackFile, wrong: list[str], renewable: list[Sealed]) -> UserError:
    commands = [f"pulumi config set --secret --path {it.path} --stack {file.name}" for it in renewable]
    anew = f'; or set it anew: eval "$(./berth env -s {file.name})" && {" && ".join(commands)}'
    return UserError(
        f"{file.path.name} has secrets that cannot be opened; nothing was changed:\n  " + "\n  ".join(wrong),
        fix=f"restore these lines of {file.path.name} as they were (git, backup)"
        + (anew if commands and len(commands) == len(wrong) else ""),
    )
