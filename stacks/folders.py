"""The folders of a system on the host: made before anything starts, and what the host finds in them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from components.containers.container import ConfigFile, ConfigFiles, Limits
from components.containers.directories import Directories, DirectoriesSpec, Directory
from components.containers.image import Image
from components.containers.job import Job, JobSpec
from components.containers.mounts import Bind
from components.containers.network import AnyNetwork
from components.containers.service import Completed, resources_of
from components.units import Cpus, Memory
from stacks.assembly import Assembly
from stacks.data_settings import EncryptedData, HostData

OURS: Final = "10001:10001"
"""The user of our own images and jobs."""
_FILES, _FOLDER, _LOGS = "/etc/published", "/host/published", "/host/logs"


def prepare(
    system: Assembly, data: HostData, directories: Sequence[Directory], *, image: Image, network: AnyNetwork
) -> Completed:
    """Makes the folders below the root. image: any with a POSIX shell."""
    spec = DirectoriesSpec(
        identity=system.identity("directories"),
        root=data.root,
        directories=tuple(directories),
        minimum_free=data.minimum_free,
        encrypted=isinstance(data, EncryptedData),
    )
    made = Directories(f"{system.name}-directories", spec, image=image, network=network, opts=system.child())
    return Completed(made.job)


def publish(
    system: Assembly,
    role: str,
    files: Mapping[str, str],
    *,
    folder: str,
    logs: str,
    after: Completed,
    image: Image,
    network: AnyNetwork,
) -> None:
    """Keeps public files (name to text) in a folder of the host, and a line about each change in `logs`.

    Both folders belong to `OURS`.
    """
    names = " ".join(map(shlex.quote, files))
    copy = f"""\
for name in {names}; do
    cp "{_FILES}/$name" "{_FOLDER}/.$name.part"
    mv "{_FOLDER}/.$name.part" "{_FOLDER}/$name"
done
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) {role}: wrote {names}" >> {_LOGS}/system.log
"""
    spec = JobSpec(
        identity=system.identity(role),
        alias=role,
        entrypoint=("sh", "-euc"),
        command=(copy,),
        config=(
            ConfigFiles(
                target=_FILES, files=tuple(ConfigFile(name=name, text=text) for name, text in files.items())
            ),
        ),
        binds=(
            Bind(source=folder, target=_FOLDER, read_only=False),
            Bind(source=logs, target=_LOGS, read_only=False),
        ),
        limits=Limits(cpus=Cpus("0.2"), memory=Memory("32MiB")),
    )
    Job(
        f"{system.name}-{role}",
        spec,
        image=image,
        network=network,
        depends_on=resources_of([after]),
        opts=system.child(),
    )
