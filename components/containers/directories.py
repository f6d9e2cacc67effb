"""Directories of the host that volumes lie in: made with the right owner before anything starts."""

from __future__ import annotations

import shlex
from typing import Annotated

import pulumi
from pydantic import Field

from components.base import Component, Identity
from components.containers.container import Hardening, Limits
from components.containers.encryption import must_be_encrypted
from components.containers.image import Image
from components.containers.job import Job, JobSpec
from components.containers.mounts import Bind
from components.containers.network import AnyNetwork
from components.spec import Spec
from components.units import AbsolutePath, Cpus, Memory

_HERE = "/host"


class Directory(Spec):
    """One directory below the root, and whose it is."""

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")]
    owner: Annotated[str, Field(pattern=r"^[0-9]+:[0-9]+$")]
    """`uid:gid` of the server that writes into it."""
    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "750"


class DirectoriesSpec(Spec):
    """Directories below one root, which is made, too."""

    identity: Identity
    root: AbsolutePath
    directories: Annotated[tuple[Directory, ...], Field(min_length=1)]
    minimum_free: Memory = Memory("1GiB")
    """Refused on a disk with less room."""
    encrypted: bool = False
    """Refused unless the root lies on an encrypted disk (dm-crypt)."""


class Directories(Component):
    """A job `{name}-make`; what mounts the directories comes after `Completed(directories.job)`.

    A directory that holds something and belongs to another user is refused by name, and stays as it is.
    """

    kind = "containers:Directories"

    def __init__(
        self,
        name: str,
        spec: DirectoriesSpec,
        *,
        image: Image,
        network: AnyNetwork,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.job = Job(f"{name}-make", job_spec(spec), image=image, network=network, opts=self.child())
        self.register_outputs({"root": spec.root})


def job_spec(spec: DirectoriesSpec) -> JobSpec:
    """The job; any image with a POSIX shell, `stat`, `df` and `find` will do."""
    return JobSpec(
        identity=spec.identity,
        alias=f"{spec.identity.service}-directories",
        entrypoint=("sh", "-c"),
        command=(script(spec),),
        binds=(Bind(source=spec.root, target=_HERE, read_only=False, create=True),),
        limits=Limits(cpus=Cpus("0.2"), memory=Memory("32MiB")),
        # Root, because only root gives directories to others; without the capabilities to do more than that.
        hardening=Hardening(user="0:0", add_capabilities=("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")),
    )


def script(spec: DirectoriesSpec) -> str:
    """Makes what is missing, and refuses before it makes anything."""
    root, minimum_free = spec.root, spec.minimum_free
    encryption = must_be_encrypted(_HERE, told=root) if spec.encrypted else ""

    def each(verb: str) -> str:
        return "\n".join(
            f"{verb} {shlex.quote(item.path)} {item.owner} {item.mode}" for item in spec.directories
        )

    return f"""\
set -u
refuse() {{ echo "$1" >&2; echo "  fix: $2" >&2; exit 1; }}
look() {{
    here={_HERE}/$1
    [ ! -L "$here" ] || refuse "{root}/$1 is a link" 'name the directory that it leads to'
    [ -e "$here" ] || return 0
    [ -d "$here" ] || refuse "{root}/$1 is a file" 'move it away, or name another root'
    owner=$(stat -c %u:%g "$here")
    [ "$owner" = "$2" ] || [ -z "$(ls -A "$here")" ] \\
        || refuse "{root}/$1 belongs to $owner, and is needed for $2" \\
            "name another root, or hand it over: chown -R $2 {root}/$1"
}}
make() {{
    mkdir -p "{_HERE}/$1" && chown "$2" "{_HERE}/$1" && chmod "$3" "{_HERE}/$1" \\
        || refuse "{root}/$1 cannot be made" 'look at the line above'
}}
free=$(df -Pk {_HERE} | awk 'NR == 2 {{ print $4 }}')
[ "$free" -ge {minimum_free.bytes // 1024} ] \\
    || refuse "{root}: $((free / 1024)) MiB are free, {minimum_free} are needed" \\
        'make room on that disk, name another root, or lower minimum_free'
{encryption}{each("look")}
{each("make")}
"""
