"""`./berth status`: what the stack has recorded against what runs and what its addresses answer."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops import health, observed, recorded
from ops.errors import UserError
from ops.progress import say, signs_of_life

if TYPE_CHECKING:
    from ops.engine import Engine
    from ops.stack import Stack

SETTLE = 30.0  # seconds that `up` gives addresses to answer; it has waited for the health checks already
PAUSE = 0.5


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a stack is."""

    name: str
    containers: tuple[observed.Observed, ...]
    answers: tuple[health.Answer, ...]
    lost: tuple[str, ...] = ()
    unlinked: tuple[str, ...] = ()
    unmade: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """All that is not as it should be, a line each."""
        return [
            *self.unmade,
            *(f"data volume {name}: missing" for name in self.lost),
            *(f"network {name}: missing" for name in self.unlinked),
            *(
                f"{seen.service} ({seen.container}): {', '.join(seen.problems)}"
                for seen in self.containers
                if not seen.ok
            ),
            *(f"{answer.url}: {answer.problem}" for answer in self.answers if not answer.ok),
        ]

    @property
    def exit_code(self) -> int:
        """0: all as it should be; 1: something is not (nothing up is 3, see `read`)."""
        return int(bool(self.problems))


def examine(name: str, exported: Mapping[str, Any], engine: Engine) -> Report:
    """How the stack with this state is now."""
    client = engine.client()
    try:
        seen = observed.look(client, recorded.containers(exported))
        lost = observed.lost(client, recorded.data_volumes(exported))
        unlinked = observed.lost_networks(client, recorded.networks(exported))
    finally:
        client.close()
    return Report(
        name=name,
        # What carries files matters only when it is gone.
        containers=tuple(found for container, found in seen if container.starts or not found.ok),
        answers=tuple(answer for door in recorded.doors(exported) for answer in health.ask(door)),
        lost=tuple(volume.name for volume in lost),
        unlinked=tuple(unlinked),
        unmade=tuple(line for _, line in recorded.unmade(exported)),
    )


def read(stack: Stack) -> Report:
    """How the stack is. Raises UserError (exit status 3) when it has nothing running."""
    exported = stack.export()
    if not any(container.starts for container in recorded.containers(exported)):
        raise UserError(f"stack {stack.name} has nothing running", fix=f"./berth up -s {stack.name}", code=3)
    if stack.engine is None:
        raise UserError(f"stack {stack.name} has no Docker engine to ask", fix="./berth doctor")
    return examine(stack.name, exported, stack.engine)


def verify(stack: Stack, exported: Mapping[str, Any], *, deadline: float = SETTLE) -> None:
    """Waits until the stack with this state is as it should be. Raises UserError with what is not."""
    if stack.engine is None:
        return
    end = time.monotonic() + deadline
    with signs_of_life(f"waiting until stack {stack.name} answers"):
        while problems := examine(stack.name, exported, stack.engine).problems:
            if time.monotonic() > end:
                raise UserError(
                    f"stack {stack.name} is up, but not as it should be: {'; '.join(problems)}",
                    fix=f"correct what is named; ./berth status -s {stack.name} shows all, "
                    "`docker logs NAME` what a container says; where an address alone does not answer, "
                    "a firewall or another machine's address is the usual cause",
                )
            time.sleep(PAUSE)


def document(report: Report) -> dict[str, Any]:
    """The report for a script."""
    return {
        "stack": report.name,
        "ok": report.exit_code == 0,
        "containers": [{**asdict(seen), "ok": seen.ok} for seen in report.containers],
        "answers": [{**asdict(answer), "ok": answer.ok} for answer in report.answers],
        "problems": report.problems,
    }


def show(report: Report, *, everything: bool = False) -> None:
    """The report for a person. everything: also each job that is done, and all containers' names.

    Replicas of one service are always told apart.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    names = ("container",) if everything else ()
    for column in ("", "service", *names, "state", "health", "uptime", "ports", "image"):
        table.add_column(column, overflow="fold")
    done = [] if everything else [seen for seen in report.containers if seen.state == "done"]
    rows = [seen for seen in report.containers if seen not in done]
    replicas = Counter(seen.service for seen in rows)
    for seen in rows:
        named = not everything and replicas[seen.service] > 1
        table.add_row(
            "ok" if seen.ok else "BAD",
            f"{seen.service} ({seen.container})" if named else seen.service,
            *((seen.container,) if everything else ()),
            seen.state,
            seen.health,
            _duration(seen.uptime),
            " ".join(seen.ports) or "-",
            seen.image,
        )
    # Without a terminal rich assumes 80 columns and folds what a log could show whole.
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    if done:
        sys.stdout.write(f"ok  {len(done)} one-shot jobs are done (--all lists them)\n")
    for answer in report.answers:
        sys.stdout.write(f"{'ok ' if answer.ok else 'BAD'} {answer.url}\n")
    if report.problems:
        say(f"stack {report.name} is not as it should be; ./berth up -s {report.name} repairs what it can:")
        for problem in report.problems:
            say(f"  {problem}")


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    days, rest = divmod(seconds, 86400)
    hours, minutes = divmod(rest // 60, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
