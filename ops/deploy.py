"""`./berth deploy init`, `update`: checks, backup, up, a look from outside; a failure is rolled back."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, TextIO

from ops import (
    base_image,
    deployments,
    engine,
    going_back,
    preview,
    recorded,
    repair,
    safeguard,
    status,
    unchanged,
)
from ops.apply import ask, carry_out
from ops.course import (
    LEFT,
    ROLLED_BACK,
    Course,
    DeploymentError,
    Wishes,
    asked,
    interrupts,
    refusing,
    words,
)
from ops.deployment import Deployment
from ops.deployments import Deployments
from ops.errors import UserError
from ops.images_used import absent, inventory, left
from ops.progress import say
from ops.project import StackFile
from ops.stack import open_stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.repair import Plan
    from ops.stack import Stack


def forward(name: str, verb: Literal["init", "update"], wishes: Wishes, *, to: TextIO) -> Deployment:
    """Deploys the definitions as they are now; how that ended.

    Raises UserError with nothing changed (1); DeploymentError where something was (3, 4, 130).
    """
    began = time.monotonic()
    with refusing():
        if not wishes.build:
            _refuse_base(StackFile(name))
        stack = open_stack(name)
        asked(stack)
        kept = deployments.of(stack)
        with stack.alone(f"deploy {verb}"):
            kept.settle()
            inputs, since = unchanged.inputs(stack), time.time()
            state, plan = stack.settle()
            refuse(verb, name, state, kept.last, force=wishes.force)
            present = kept.present if verb == "update" else None
            strayed = kept.strayed(recorded.ids(state))
            if verb == "update":
                _tell_base(stack, kept, present, strayed=strayed)
            with unchanged.followed(stack) as (followed, reads):
                course = Course(
                    stack=followed,
                    kept=kept,
                    deployment=kept.begin(verb, needed=("Pulumi.yaml", stack.file.path.name)),
                    present=present,
                    wishes=wishes,
                    to=to,
                    began=began,
                    strayed=strayed,
                )
                ended, exported = _deploy(course, state, plan)
                if ended.outcome == "deployed":
                    unchanged.remember(stack, inputs, exported, reads=reads, began=since)
    return ended


def refuse(verb: str, name: str, state: Mapping[str, Any], last: Deployment | None, *, force: bool) -> None:
    """Raises UserError where this is the wrong verb, or the last deployment was stopped half way."""
    there = [container for container in recorded.containers(state) if container.starts]
    if verb == "init" and there:
        raise UserError(
            f"stack {name} has containers already ({len(there)}); nothing was changed",
            fix=f"./berth deploy update -s {name}",
        )
    if verb == "update" and not there:
        raise UserError(
            f"stack {name} has nothing deployed that could be updated", fix=f"./berth deploy init -s {name}"
        )
    if last and last.outcome == "interrupted" and not force and verb == "update":
        raise UserError(
            f"deployment {last.name} was interrupted: the stack may be partly at it, partly at the release "
            "before; nothing was changed",
            fix=f"./berth deploy rollback -s {name} goes back to the last good release; "
            f"./berth deploy update -s {name} --force goes on",
        )


def _tell_base(stack: Stack, kept: Deployments, present: Deployment | None, *, strayed: bool) -> None:
    """Says what a failure would go back to, where that is nothing, and why."""
    if present is None:
        say("no release of this stack is kept yet: should this deployment fail, nothing is rolled back")
        return
    if strayed:
        say(
            "what runs is not what the last deployment left (an `up`, or a repair, came after it): should "
            "this one fail, nothing is rolled back by itself (./berth deploy rollback goes back to release "
            f"{present.name})"
        )
        return
    try:
        there = going_back.at(stack, kept, present)
        going_back.check_images(there, present, exactly=False)
    except UserError as error:
        say(f"should this deployment fail, nothing is rolled back: {error.cause} (fix: {error.fix})")


def _settled(course: Course, state: Mapping[str, Any], plan: Plan) -> bool:
    """Whether what runs is what a deployment left that ended well, with nothing to put right."""
    last = course.kept.last
    return (
        course.present is not None
        and last is not None
        and last.outcome in ("deployed", "rolled back")
        and last.containers == recorded.ids(state)
        and plan == repair.Plan()
    )


def _deploy(course: Course, state: Mapping[str, Any], plan: Plan) -> tuple[Deployment, dict[str, Any]]:
    stack, wishes = course.stack, course.wishes
    try:
        foreseen = preview.foresee(stack, plan.flags, verb=course.verb, to=course.to)
        if not wishes.build:
            _refuse_builds(stack, foreseen.builds)
        if not foreseen.changes and not wishes.force and course.present and _settled(course, state, plan):
            if wishes.tests:
                status.verify(stack, state)
            say(f"nothing has changed since release {course.present.name}; --force deploys all the same")
            return course.end("unchanged"), {}
        ask(stack, course.verb, unless=wishes.yes)
        taken: tuple[str, ...] = ()
        if course.deployment.verb == "update" and wishes.backup:
            taken = safeguard.take(stack, state)
        course = course.noting(backups=taken, builds=foreseen.builds)
    except BaseException as error:
        course.refused(error)
        raise
    try:
        wanted = plan.flags if foreseen.changes or wishes.force else None
        exported = carry_out(stack, course.verb, plan, wanted, to=course.to)
        if wishes.tests:
            status.verify(stack, exported)
    except BaseException as error:
        if interrupts(error):
            raise course.interrupted() from None
        if not isinstance(error, Exception):
            course.end("failed", cause=words(error))
            raise
        raise _failed(course, error) from None
    return course.end("deployed", **inventory(stack, exported)), exported


def _failed(course: Course, error: Exception) -> DeploymentError:
    """Rolls back, where there is something to go back to; what to tell."""
    name, cause = course.stack.name, words(error)
    say(f"\nerror: deployment {course.deployment.name} failed: {cause}")
    going_back.last_words(course.stack)
    again = (
        f"correct what failed: your files are as they were, and the next ./berth deploy update -s {name} "
        "(init, while it has no container) takes them again; the cause is in "
        f"./berth deploy show {course.deployment.name} -s {name}"
    )
    if course.present is None:
        ended = course.end("failed", **left(course.stack) | {"cause": cause})
        return DeploymentError(
            ended,
            f"deployment {ended.name} failed, with no release to go back to; what was made stays: {cause}",
            fix=f"{again}; where it has no outputs yet, with --no-backup",
            code=LEFT,
        )
    if course.strayed:
        ended = course.end("failed", **left(course.stack) | {"cause": cause})
        return DeploymentError(
            ended,
            f"deployment {ended.name} failed, and was not rolled back: what ran before was made by an `up`, "
            f"or a repair, after release {course.present.name}: {cause}",
            fix=f"{again}; ./berth deploy rollback -s {name} goes back to release {course.present.name}, "
            "without what that `up` brought",
            code=LEFT,
        )
    say(f"rolling back to release {course.present.name}")
    seen = course.deployment.migrations
    try:
        crossed = going_back.crossed(
            course.stack.export(),
            course.present,
            seen,
            [*course.kept.ended, course.deployment],
            sure=True,
        )
        seen = seen if crossed else course.present.migrations
        if crossed and not course.wishes.newer_schema:
            raise UserError(
                f"it was not rolled back: {crossed}",
                fix=f"./berth deploy rollback {course.present.name} -s {name} --accept-newer-schema, if that "
                "release works with the newer schema",
            )
        exported = going_back.bring(
            course.stack,
            course.kept,
            course.present,
            verb="deploy rollback",
            to=course.to,
            tests=course.wishes.tests,
        )
    except BaseException as second:
        if interrupts(second):
            return course.interrupted(f"{cause}; interrupted while it was rolled back")
        ended = course.end("failed", **left(course.stack) | {"cause": f"{cause}; rollback: {words(second)}"})
        if not isinstance(second, Exception):
            raise
        fix = second.fix if isinstance(second, UserError) else f"./berth deploy rollback -s {name}"
        return DeploymentError(
            ended,
            f"deployment {ended.name} failed ({cause}), and going back to {course.present.name} failed, too: "
            f"{words(second)}",
            fix=f"{fix}; ./berth status -s {name} shows what runs",
            code=LEFT,
        )
    found = inventory(course.stack, exported) | {"cause": cause, "migrations": seen}
    ended = course.end("rolled back", rolled_back_to=course.present.name, **found)
    return DeploymentError(
        ended,
        f"deployment {ended.name} failed and was rolled back to release {course.present.name}: {cause}",
        fix=again,
        code=ROLLED_BACK,
    )


def _refuse_base(file: StackFile) -> None:
    """Raises UserError where the base of the local images would have to be made first."""
    tag = base_image.wanted(file)
    if tag is None:
        return
    with closing(engine.reachable(file.host).client()) as client:
        if absent(client, [tag]):
            raise _unbuilt([tag])


def _refuse_builds(stack: Stack, names: tuple[str, ...]) -> None:
    if stack.engine is None or not names:
        return
    with closing(stack.engine.client()) as client:
        if missing := absent(client, names):
            raise _unbuilt(missing)


def _unbuilt(names: list[str]) -> UserError:
    return UserError(
        f"--skip-build, and the engine has no {', no '.join(names)}; nothing was changed",
        fix="leave --skip-build away to have them built, or bring them to the engine (docker load)",
    )
