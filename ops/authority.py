"""The certificate authority of this machine, made when first used: it signs what stacks need to be tried."""

from __future__ import annotations

import os
import shlex
import socket
import tempfile
from pathlib import Path

from ops import places
from ops.errors import UserError
from ops.hold import hold
from ops.progress import say
from ops.recorded import Door
from stacks.certificates import Authority


def certificate() -> Path:
    """What a developer adds to the trusted authorities of browser or system. Public."""
    return places.config() / "authority.pem"


def _key() -> Path:
    return places.config() / "authority.key"


def ensure() -> Authority:
    """The authority, made the first time. Raises UserError when only one of its two files is there."""
    with hold(
        places.data() / "locks" / "authority.lock", doing="making the certificate authority", wait=True
    ):
        there = [path for path in (certificate(), _key()) if path.exists()]
        if len(there) == 1:
            raise UserError(
                f"the certificate authority is not whole: there is {there[0]}, but not its other half",
                fix=f"restore the other one of {certificate()} and {_key()}; or remove {there[0]}, and "
                "trust the authority that is made then",
            )
        if not there:
            made = Authority.new(f"berth on {socket.gethostname()}")
            _write(_key(), made.key, mode=0o600)
            _write(certificate(), made.certificate, mode=0o644)
            say(f"made a certificate authority; browsers that trust {certificate()} do not warn")
        return Authority(certificate().read_text(), _key().read_text())


def curl(door: Door, stack: str) -> str:
    """A command that asks the door, and trusts whoever signed its certificate."""
    words = ["curl"]
    if door.authority is not None:
        words += ["--cacert", str(_file_of(door.authority, f"{stack}-{door.system}"))]
    if door.untrusted:
        words.append("--insecure")
    return shlex.join([*words, f"{door.url}/health"])


def _file_of(authority: str, name: str) -> Path:
    """A file with this authority: the machine's own, or one under this name."""
    own = certificate()
    if own.exists() and own.read_text() == authority:
        return own
    copy = places.data() / "authorities" / f"{name}.pem"
    _write(copy, authority, mode=0o644)
    return copy


def _write(path: Path, text: str, *, mode: int) -> None:
    """Whole or not at all, and never readable by others in between."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    Path(name).chmod(mode)
    Path(name).replace(path)
