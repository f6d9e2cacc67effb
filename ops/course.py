"""A deployment on its way, and the ways in which it may end."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TextIO

import typer

from ops.deployment import Deployment, Outcome
from ops.deployments import Deployments
from ops.errors import UserError
from ops.progress import say

if TYPE_CHECKING:
    from ops.stack import Stack

ROLLED_BACK, LEFT = 3, 4
"""Exit codes: it failed and the release before serves again; it failed and that was not brought back."""
INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the options say. tests: the look from outside. newer_schema: go back although it was migrated."""

    backup: bool = True
    tests: bool = True
    build: bool = True
    force: bool = False
    yes: bool = False
    newer_schema: bool = False


class DeploymentError(UserError):
    """A deployment that changed something and did not end as it should."""

    def __init__(self, deployment: Deployment, cause: str, *, fix: str, code: int) -> None:
        super().__init__(cause, fix=fix, code=code)
        self.deployment = deployment


@dataclass(frozen=True, kw_only=True)
class Course:
    """A deployment on its way. began: of the monotonic clock.

    present: the last good release. strayed: what ran before is not what the last deployment left.
    """

    stack: Stack
    kept: Deployments
    deployment: Deployment
    present: Deployment | None
    wishes: Wishes
    to: TextIO
    began: float
    strayed: bool = False

    @property
    def verb(self) -> str:
        return f"deploy {self.deployment.verb}"

    def end(self, outcome: Outcome, **more: Any) -> Deployment:
        """Writes down how it ended. Raises DeploymentError where it changed something and that cannot be."""
        seconds = round(time.monotonic() - self.began, 1)
        told = self.deployment.model_copy(update={"outcome": outcome, "seconds": seconds, **more})
        try:
            return self.kept.end(told)
        except OSError as error:
            if outcome in ("unchanged", "refused"):
                say(f"this is not written down in {self.kept.log}: {error.strerror or error}")
                return told
            about = f" ({told.cause})" if told.cause else ""
            raise DeploymentError(
                told,
                f"deployment {told.name} ended, {outcome}{about}, but that could not be recorded: "
                f"{error.strerror or error}",
                fix=f"free space in {self.kept.folder}; the next ./berth deploy update or rollback records "
                "it, as interrupted where nothing of its end was kept; "
                f"./berth status -s {self.stack.name} shows what runs",
                code={"rolled back": ROLLED_BACK, "interrupted": INTERRUPTED}.get(outcome, LEFT),
            ) from None

    def noting(self, **more: Any) -> Course:
        """Writes down what is known now, for the case that it is killed. Raises OSError."""
        deployment = self.deployment.model_copy(update=more)
        self.kept.note(deployment)
        return replace(self, deployment=deployment)

    def refused(self, error: BaseException) -> None:
        """Writes down that nothing was changed, and why."""
        self.end("refused", cause="interrupted" if interrupts(error) else words(error))

    def interrupted(self, cause: str = "interrupted") -> DeploymentError:
        """Writes down that it was stopped half way."""
        name = self.stack.name
        ended = self.end("interrupted", cause=cause)
        back = f"./berth deploy rollback -s {name} goes back to {self.present.name}; " if self.present else ""
        return DeploymentError(
            ended,
            f"deployment {ended.name} was interrupted; what was finished is recorded",
            fix=f"{back}./berth deploy update -s {name} --force goes on with it "
            "(init, while it has no container)",
            code=INTERRUPTED,
        )


def asked(stack: Stack) -> None:
    """Raises UserError where there is no engine that tells what a deployment left."""
    if stack.engine is None:
        raise UserError(
            f"stack {stack.name} makes its own machine: it has no Docker engine to look at and to go back "
            "on; nothing was changed",
            fix=f"./berth up -s {stack.name}",
        )


@contextmanager
def refusing() -> Iterator[None]:
    """What is raised before anything is changed has the exit code of a refusal, and no traceback."""
    import requests
    from docker.errors import DockerException

    try:
        yield
    except DeploymentError:
        raise
    except UserError as error:
        if error.code == INTERRUPTED:
            raise
        raise UserError(error.cause, fix=error.fix) from None
    except (DockerException, requests.RequestException) as error:
        raise UserError(
            f"the Docker engine does not do what it is asked: {error}; nothing was changed",
            fix="./berth doctor looks at the engine; then run it again",
        ) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UserError(
            f"{error.filename or 'a file'} cannot be used: {error.strerror or error}; nothing was changed",
            fix="correct what it says, or name a file of the project that is none of it in .gitignore",
        ) from None


def interrupts(error: BaseException) -> bool:
    """Whether somebody stopped it."""
    stopped = isinstance(error, KeyboardInterrupt | typer.Abort)
    return stopped or (isinstance(error, UserError) and error.code == INTERRUPTED)


def words(error: BaseException) -> str:
    """What went wrong, for a record."""
    return error.cause if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
