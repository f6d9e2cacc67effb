"""An earlier release brought up again: from its own copy of the definitions, never from the user's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

from ops import base_image, places, preview, recorded, status
from ops.apply import carry_out
from ops.errors import UserError
from ops.images_used import MIGRATES, absent, moved
from ops.progress import say
from ops.project import StackFile

if TYPE_CHECKING:
    from pathlib import Path

    from ops.deployment import Deployment
    from ops.deployments import Deployments
    from ops.stack import Stack

_LINES = 10  # of each container that is not as it should be


def bring(
    stack: Stack, kept: Deployments, release: Deployment, *, verb: str, to: TextIO, tests: bool = True
) -> dict[str, Any]:
    """Applies a release and looks from outside; the state then. Raises UserError."""
    there = at(stack, kept, release)
    check_images(there, release, exactly=False)
    _, plan = there.settle()
    foreseen = preview.foresee(there, plan.flags, verb=verb, to=to)
    exported = carry_out(there, verb, plan, plan.flags if foreseen.changes else None, to=to)
    if tests:
        status.verify(there, exported)
    return exported


def at(stack: Stack, kept: Deployments, release: Deployment) -> Stack:
    """The stack as the release has it, worked on from its copy. Raises UserError where that cannot be."""
    if not kept.whole(release.origin):
        raise UserError(
            f"release {release.name} is no longer kept whole: its definitions are gone",
            fix="check its commit out and ./berth deploy update; ./berth deploy list says which are kept",
        )
    folder = kept.definitions(release.origin)
    _with_packages(folder)
    file = StackFile(stack.name, root=folder)
    if file.host != stack.file.host:
        raise UserError(
            f"release {release.name} ran on another host than {stack.file.path.name} names now",
            fix="name its host in the stack file first, or deploy forward",
        )
    if shown := _sources(file):
        raise UserError(
            f"release {release.name} shows the sources in {shown}, a folder of the project, and its copy is "
            "no place to edit them",
            fix=f"name that folder by its absolute path in {stack.file.path.name}, and deploy forward",
        )
    lock = "requirements.lock"
    if _read(folder / lock) != _read(places.ROOT / lock):
        say(f"release {release.name} was made with other packages; it runs with those that are installed now")
    environment = {**stack.pulumi.environment, "PULUMI_OPTION_POLICY_PACK": str(folder / "policies")}
    return replace(stack, file=file, pulumi=replace(stack.pulumi, environment=environment, folder=folder))


def _sources(file: StackFile) -> str | None:
    """The folder of the project that a frontend in development is served from, where there is one."""
    system = file.config.get("cloud-api")
    frontend = system.get("frontend") if isinstance(system, dict) else None
    source = frontend.get("source") if isinstance(frontend, dict) else None
    return source if isinstance(source, str) and not source.startswith("/") else None


def _with_packages(folder: Path) -> None:
    """Gives the copy the virtual environment of the project."""
    link, target = folder / ".venv", places.ROOT / ".venv"
    if link.is_symlink():
        link.unlink()
    if target.exists():
        link.symlink_to(target.resolve())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def check_images(there: Stack, release: Deployment, *, exactly: bool) -> None:
    """Raises UserError where the engine no longer has what the release ran.

    exactly: also where a tag was moved since (`./berth update`), which else is only told.
    """
    if there.engine is None:
        return
    with closing(there.engine.client()) as client:
        # What is built on the base is taken from the engine's cache only while it is there.
        base = base_image.wanted(there.file, root=there.file.root)
        names = [*(image.name for image in release.images), *([base] if base else [])]
        missing = [f"{name} is gone" for name in absent(client, names)]
        others = moved(client, release.images)
    if exactly:
        missing += others
    elif others:
        say(f"not as in release {release.name}: {'; '.join(others)}")
    if missing:
        raise UserError(
            f"release {release.name} cannot be brought back as it was: {'; '.join(missing)}",
            fix="bring the image back under that name (docker load, docker tag), choose another release "
            "(./berth deploy list), or check its commit out and ./berth deploy update",
        )


def crossed(
    exported: Mapping[str, Any],
    release: Deployment,
    seen: str,
    known: Sequence[Deployment],
    *,
    sure: bool = False,
) -> str | None:
    """Why a database may have a newer schema than the release knows; None where it cannot.

    seen: the digest of the migrations that its databases may have seen since. known: all deployments, which
    tell what image has which migrations: an `up` in between is none of them. sure: nothing but one deployment
    ran since the release, with the migrations that are seen.
    """
    jobs = {
        container.name: container
        for container in recorded.containers(exported)
        if container.service == MIGRATES
    }
    # One that is gone from the state was being replaced when something was killed: it may have run.
    ran = [name for name in {*jobs, *release.migrates} if _ran(jobs.get(name), release.containers.get(name))]
    if (jobs or release.migrates) and not ran:
        return None
    if seen != release.migrations:
        return f"the migrations are others than those of release {release.name}, and may have run"
    same = [one for one in known if one.migrations == release.migrations]
    good = [one for one in same if one.outcome == "deployed"]
    images = {part for one in good for image in one.images for part in (image.name, image.id)}
    images |= {image.id for image in release.images} | {image.name for image in release.images}
    images |= {name for one in same for name in one.builds}
    for name in sorted(ran):
        if name not in jobs:
            # What is built has the migrations of the definitions; an image of a registry may have any.
            if sure and not release.migrates.get(name, "").startswith("sha256:"):
                continue
            return f"{name} was stopped half way; what it did cannot be told"
        if jobs[name].image not in images:
            return f"{name} ran an image of no release with these migrations; what it did cannot be told"
    return None


def _ran(now: recorded.Recorded | None, id: str | None) -> bool:
    """Whether a job is another than it was."""
    return now is None or now.id != id


def last_words(stack: Stack) -> None:
    """Says what the containers that are not as they should be printed last."""
    from docker.errors import DockerException

    if stack.engine is None:
        return
    try:
        report = status.examine(stack.name, stack.export(), stack.engine)
        with closing(stack.engine.client()) as client:
            for seen in report.containers:
                if seen.ok or seen.state == "missing":
                    continue
                printed = client.containers.get(seen.container).logs(tail=_LINES).decode(errors="replace")
                say(f"  {seen.service} ({seen.container}): {', '.join(seen.problems)}; its last lines:")
                for line in printed.splitlines():
                    say(f"  | {line}")
    except (UserError, DockerException, OSError) as error:
        say(f"  (what the containers printed last cannot be told: {error})")
