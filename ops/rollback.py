"""`./berth deploy rollback`: an earlier release in the place of what runs."""

from __future__ import annotations

import time
from typing import TextIO

from ops import deployments, going_back, preview, recorded, safeguard, status
from ops.apply import ask, carry_out
from ops.course import LEFT, Course, DeploymentError, Wishes, asked, interrupts, refusing, words
from ops.deployment import Deployment
from ops.deployments import Deployments
from ops.errors import UserError
from ops.images_used import inventory, left
from ops.progress import say
from ops.stack import open_stack


def rollback(name: str, release: str | None, wishes: Wishes, *, to: TextIO) -> Deployment:
    """Deploys a release again, or the last good one before the present; how that ended.

    Raises UserError with nothing changed (1); DeploymentError where something was (4, 130).
    """
    began = time.monotonic()
    with refusing():
        # Not made ready: what the user's file says now, perhaps wrongly, is not what is deployed.
        stack = open_stack(name, ready=False)
        asked(stack)
        kept = deployments.of(stack)
        with stack.alone("deploy rollback"):
            kept.settle()
            exported = stack.export()
            strayed = kept.strayed(recorded.ids(exported))
            target = choose(kept, release, force=wishes.force, strayed=strayed)
            seen = kept.last.migrations if kept.last else target.migrations
            if not (crossed := going_back.crossed(exported, target, seen, kept.ended)):
                seen = target.migrations
            elif not wishes.newer_schema:
                raise UserError(
                    f"release {target.name} is on the other side of a migration: {crossed}; nothing was "
                    "changed",
                    fix="deploy forward; or --accept-newer-schema, if it works with the newer schema; or "
                    "restore the backup that was taken before (./berth restore), which loses what was "
                    "written since",
                )
            there = going_back.at(stack, kept, target)
            going_back.check_images(there, target, exactly=True)
            course = Course(
                stack=there,
                kept=kept,
                deployment=kept.begin("rollback", of=target).model_copy(update={"migrations": seen}),
                present=kept.present,
                wishes=wishes,
                to=to,
                began=began,
                strayed=strayed,
            )
            return _deploy(course)


def choose(kept: Deployments, name: str | None, *, force: bool, strayed: bool = False) -> Deployment:
    """The named release, or the last good one: after a failure what was deployed, else the one before it.

    strayed: an `up` came after what was deployed last, which is what is gone back to, then. Raises UserError
    where it is none, or is what runs.
    """
    present, last = kept.present, kept.last
    half_way = strayed or (last is not None and last.outcome in ("interrupted", "failed"))
    if name is None:
        return present if half_way and present else kept.before(present)
    found = kept.find(name)
    if found.outcome != "deployed":
        raise UserError(
            f"{found.name} is no release: it was {found.outcome}",
            fix="./berth deploy list marks the good ones",
        )
    if present and found.origin == present.origin and not half_way and not force:
        raise UserError(
            f"release {found.name} is what was deployed last; nothing was changed",
            fix="name another (./berth deploy list); --force applies this one again",
        )
    return found


def _deploy(course: Course) -> Deployment:
    stack, target = course.stack, course.deployment.origin
    try:
        state, plan = stack.settle()
        foreseen = preview.foresee(stack, plan.flags, verb=course.verb, to=course.to)
        ask(stack, course.verb, unless=course.wishes.yes or not foreseen.changes)
        taken = safeguard.take(stack, state) if course.wishes.backup else ()
        course = course.noting(backups=taken, builds=foreseen.builds)
    except BaseException as error:
        course.refused(error)
        raise
    try:
        wanted = plan.flags if foreseen.changes or course.wishes.force else None
        exported = carry_out(stack, course.verb, plan, wanted, to=course.to)
        if course.wishes.tests:
            status.verify(stack, exported)
    except BaseException as error:
        if interrupts(error):
            raise course.interrupted() from None
        ended = course.end("failed", **left(stack) | {"cause": words(error)})
        if not isinstance(error, Exception):
            raise
        say(f"\nerror: the rollback failed: {words(error)}")
        going_back.last_words(stack)
        raise DeploymentError(
            ended,
            f"rollback {ended.name} to release {target} failed: {words(error)}",
            fix=f"correct what is named, then run it again, or choose another release (./berth deploy list); "
            f"./berth status -s {stack.name} shows what runs",
            code=LEFT,
        ) from None
    return course.end("deployed", **inventory(stack, exported))
