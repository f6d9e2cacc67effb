"""Releases: the images of our own, pushed under a tag that says which commit they are, and deployed by it.

A tag is pushed once. What a registry has under it stays, so that it means the same wherever it is pulled.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ops import base_image, engine, images, settings
from ops.errors import UserError
from ops.places import ROOT
from ops.progress import say, step
from ops.project import StackFile
from stacks.content import base_image as base_of

if TYPE_CHECKING:
    from offline.provider.resource import Context
    from ops.stack import Stack
    from stacks.releases import Release

WORKLOADS = ROOT / "workloads"
_NO_LOGIN = ("unauthorized", "no basic auth credentials", "authentication required", "denied")


def commit() -> str:
    """The id of the commit that workloads/ is at. Raises UserError where it is at none."""
    head = _git("rev-parse", "--verify", "HEAD").strip()
    changed = [line[3:] for line in _git("status", "--porcelain", "--", str(WORKLOADS)).splitlines()]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise UserError(
            f"the images would not be those of commit {head[:12]}: changed and not committed are "
            f"{', '.join(changed[:3])}{more}",
            fix="commit it, or name what you push yourself: --tag NAME",
        )
    return head


def _git(*args: str) -> str:
    command = ["git", "-C", str(ROOT), *args]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        said = "git is not installed"
    else:
        if not done.returncode:
            return done.stdout
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    raise UserError(
        f"the commit cannot be told: {said}", fix="run it in a git checkout, or name the release: --tag NAME"
    )


def wanted(file: StackFile) -> list[Release]:
    """What the stack pulls by the tag. Raises UserError where its file is wrong, or nothing has that tag."""
    from stacks.releases import releases

    chosen = settings.check(file, secrets=False)
    if chosen.images.source != "registry" or chosen.images.mirror is None:
        missing = "source: registry" if chosen.images.source != "registry" else "mirror"
        raise UserError(
            f"stack {file.name} takes no release from a registry: `berth:images` in {file.path.name} has no "
            f"{missing}",
            fix=f"give it `source: registry` and `mirror: registry.example.com/team` in {file.path.name}",
        )
    found = list(releases(chosen, ROOT))
    if not found:
        raise UserError(
            f"no image of stack {file.name} has the tag of `berth:images`: each service names its own",
            fix=f"take `image` of a service out of {file.path.name}, or leave the tag away",
        )
    return found


def push(stack: Stack) -> list[str]:
    """Builds what the stack pulls by its tag on this machine's engine, and pushes what its registry lacks.

    Answers with the pushed images, by digest. Raises UserError before anything is built where the registry
    cannot be asked.
    """
    from offline.docker import image_host
    from offline.docker.registry import Registries

    found = wanted(stack.file)
    builder = engine.ensure()
    pushed = []
    with _asking(stack, builder) as context:
        absent = [release for release in found if not _has(context, release.name)]
        for release in found:
            if release not in absent:
                say(f"{release.name} is there already, and stays as it is")
        base = base_of(WORKLOADS)
        if any(release.args.get("BASE") == base for release in absent):
            base_image.provide(builder, stack.file, base)
        for release in absent:
            _build(context, release)
            with step(f"Pushing {release.name}"):
                image_host.tag(context, release.local, release.name)
                try:
                    login = Registries(context.engine.config).for_image(release.name)
                    pushed.append(image_host.push(context, release.name, login))
                finally:
                    # The name by content stays, and is what the next push takes.
                    image_host.remove(context, release.name, force=False)
    return pushed


def choose(stack: Stack) -> None:
    """Writes the tag into the stack file, once the stack's engine finds every image under it.

    Raises UserError otherwise; the file is then as it was.
    """
    file = stack.file
    found = wanted(file)
    if stack.engine is None:
        raise UserError(f"stack {file.name} has no Docker engine to ask", fix="./berth doctor")
    with _asking(stack, stack.engine) as context:
        absent = [release.name for release in found if not _has(context, release.name)]
    if absent:
        raise UserError(
            f"there is no {', no '.join(absent)}; nothing was changed",
            fix=f"push it first, at that commit: ./berth push -s {file.name} --tag {file.tag}; or choose "
            "another tag",
        )
    # As text: 1234567 and 12e4567 are commit ids, too.
    path = ("--path", "berth:images.tag", "--type", "string")
    stack.state()
    stack.pulumi.capture("config", "set", *path, "--stack", file.name, str(file.tag))


@contextmanager
def _asking(stack: Stack, docker: engine.Engine) -> Iterator[Context]:
    """An engine with the stack's login for its registry; what fails there is an error of the user's."""
    from offline.provider.resource import Context, ResourceError

    if stack.file.config["images"].get("login"):
        stack.state()  # else Pulumi does not know the stack whose password it reads
    connection = docker.connection(registryAuth=images.logins(stack))
    try:
        yield Context(engine=connection, urn="", log=_quiet, warn=say, cancelled=threading.Event())
    except ResourceError as error:
        raise UserError(error.cause, fix=error.fix or "see what the Docker engine says above") from None
    finally:
        connection.close()


def _quiet(line: str) -> None:
    """The steps say enough; what fails brings its last lines along."""


def _has(context: Context, name: str) -> bool:
    """Whether the registry has it. Raises UserError when that cannot be told."""
    from docker.errors import APIError

    from offline.docker.registry import Registries

    login = Registries(context.engine.config).for_image(name)
    try:
        context.engine.api.inspect_distribution(name, auth_config=login or None)
    except APIError as error:
        said = str(error.explanation or error)
        if error.status_code == 404 or "manifest unknown" in said:
            return False
        registry = name.partition("/")[0]
        if any(sign in said.lower() for sign in _NO_LOGIN):
            raise UserError(
                f"{registry} refuses {'the login' if login else 'to be asked without a login'}: {said}",
                fix="set `berth:images.login` (address, username), and its password: pulumi config set "
                f"--secret --path berth:secrets.registry_password; or docker login {registry}",
            ) from None
        raise UserError(
            f"{registry} cannot be asked for {name}: {said}",
            fix=f"make it reachable for the Docker engine at {context.engine.host}, or correct "
            "`berth:images.mirror`",
        ) from None
    return True


def _build(context: Context, release: Release) -> None:
    """Makes the image, unless the engine has the same content already."""
    from offline.docker import image_build, image_host
    from offline.docker.image_context import BuildContext
    from offline.docker.registry import Registries

    if image_host.inspect(context, release.local):
        return
    folder = ROOT / release.context
    with step(f"Building {release.role}"):
        credentials: dict[str, Any] = Registries(context.engine.config).for_build()
        image_build.run(
            context,
            image_build.Build(
                context=BuildContext(str(folder), str(folder / release.dockerfile)),
                tag=release.local,
                args=release.args,
                credentials=credentials,
            ),
        )
