"""Cloud Assistant on the machines: delivers what is to run, looks how it goes, stops it.

The agent in the machine goes on by itself and keeps what came of it (emulator/guest/assist.py), so that a
plane that was killed finds it again. An invocation that lies there is not delivered twice.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from docker.models.containers import Container

from emulator.cloud import Cloud
from emulator.plane.engine import Engine
from emulator.plane.machines import Machines
from emulator.services.ecs import invocations
from emulator.services.ecs.model_commands import UNFINISHED, Invocation, Run, Status
from emulator.services.ecs.model_instances import Instance

AGENT: Final = "/usr/local/lib/assist.py"
FOLDER: Final = "/var/lib/cloud-assist"
HOME: Final = "/root"
"""Where a command runs that names no directory."""
DELIVERED_WITHIN: Final = timedelta(minutes=1)
ANSWERS_WITHIN: Final = timedelta(seconds=30)
"""How long after its time is over a command's agent has to say how it ended."""
_WATCHED: Final = 0.7  # seconds that a run is watched closely: most are over by then
_OFTEN: Final = 0.1  # seconds between two looks then
_SELDOM: Final = 5.0  # seconds between two looks at one that runs for long, at most

# $1 is the invocation's folder.
_DELIVER: Final = '[ -e "$1" ] || exec python3 "$2" "${1##*/}"'
_LOOK: Final = (
    'cd "$1" 2>/dev/null || { echo gone; exit 0; }; cat ended 2>/dev/null; echo; cat output 2>/dev/null; true'
)
_KILL: Final = (
    'cd "$1" || exit 0; touch stop; [ -e ended ] && exit 0; '
    '[ -e pid ] && kill -s KILL -- "-$(cat pid)" 2>/dev/null; true'
)
_MOVING: Final = ("Starting", "Stopping")


class Assistant:
    """Runs invocations on the machines of a cloud."""

    def __init__(self, cloud: Cloud, engine: Engine, machines: Machines) -> None:
        self._cloud = cloud
        self._engine = engine
        self._machines = machines
        self._next: dict[str, float] = {}  # when a run is looked at again, by its id

    def due(self) -> list[str]:
        """The runs that something is to be done for."""
        now = time.monotonic()
        open_ = [run for run in self._cloud.store.all(Run) if run.status in UNFINISHED]
        open_ids = {run.id for run in open_}
        self._next = {id_: at for id_, at in self._next.items() if id_ in open_ids}
        return [run.id for run in open_ if run.status != "Running" or self._next.get(run.id, 0) <= now]

    def move(self, run_id: str) -> None:
        """The next step of a run. Raises what the engine raises where it does not answer."""
        store = self._cloud.store
        run = store.get(Run, run_id)
        invocation = store.get(Invocation, run.invocation) if run else None
        if run is None or invocation is None or run.status not in UNFINISHED:
            return
        instance = store.get(Instance, run.instance)
        begun = run.status != "Pending"
        if run.unreachable is not None:  # it was ordered when this cloud had no machines
            self._end(run, "Aborted", "ClientNotRunning", run.unreachable, why=invocations.NO_MACHINE)
        elif instance is None:
            self._end(run, "Error" if begun else "Aborted", "InstanceReleased")
        elif begun and instance.status in _MOVING:
            pass  # what the agent wrote down is read once the machine is there again
        elif instance.status != "Running":
            if begun:
                self._end(run, "Error", "ExecutionInterrupted")
            else:
                self._end(run, "Aborted", "InstanceNotRunning")
        elif (container := self._machines.find(instance.id)) is None:
            pass  # it is being made anew
        elif begun and _since(instance) > _since(run):
            self._look(run, invocation, container)
            self._end(run, "Error", "ExecutionInterrupted")  # unless it had ended before that
        elif begun or self._deliver(run, invocation, instance, container):
            self._watch(run.id, invocation, container)

    def _deliver(self, run: Run, invocation: Invocation, instance: Instance, container: Container) -> bool:
        """Whether it runs now. Raises ScriptError where the machine does not take it; it is tried again."""
        place = f"{FOLDER}/{invocation.id}"
        order = {
            "content": invocations.script(self._cloud, invocation, instance),
            "directory": invocation.directory or HOME,
            "user": invocation.user or "root",
            "timeout": invocation.timeout,
        }
        late = self._cloud.now() > run.created + DELIVERED_WITHIN
        if not late:
            command = ["sh", "-c", _DELIVER, "sh", place, AGENT]
            self._engine.run(container, command, stdin=json.dumps(order).encode())
        elif self._engine.run(container, ["sh", "-c", '[ -e "$1" ] || echo no', "sh", place]):
            self._end(run, "Aborted", "DeliveryTimeout")
            return False
        # Else it is there already, by a plane that was killed before it could say so.
        now = self._cloud.now()
        if self._put(run, status="Running", since=now, started=now) is None:  # it was cancelled meanwhile
            self._kill(invocation, container)
            return False
        return True

    def _watch(self, run_id: str, invocation: Invocation, container: Container) -> None:
        until = time.monotonic() + _WATCHED
        while True:
            run = self._cloud.store.get(Run, run_id)
            if run is None or run.status not in UNFINISHED:
                return
            if self._look(run, invocation, container):
                return
            if time.monotonic() > until:
                elapsed = (self._cloud.now() - _since(run)).total_seconds()
                self._next[run_id] = time.monotonic() + min(_SELDOM, elapsed / 4)
                return
            time.sleep(_OFTEN)

    def _look(self, run: Run, invocation: Invocation, container: Container) -> bool:
        """Whether the run is over. Raises ScriptError where the machine goes down meanwhile."""
        if run.status == "Stopping":
            self._kill(invocation, container)
        command = ["sh", "-c", _LOOK, "sh", f"{FOLDER}/{invocation.id}"]
        ended, output = self._engine.run(container, command).split("\n", 1)
        if ended == "gone":  # it runs on a machine that was made anew since
            self._end(run, "Error", "ExecutionInterrupted")
            return True
        seen: dict[str, Any] = json.loads(output or '{"output": "", "dropped": 0}')
        if ended:
            self._finish(run, json.loads(ended), seen)
            return True
        if self._cloud.now() > _since(run) + timedelta(seconds=invocation.timeout) + ANSWERS_WITHIN:
            self._end(run, "Error", "ClientNotResponse", **seen)
            return True
        if seen != {"output": run.output, "dropped": run.dropped}:
            self._put(run, **seen)
        return False

    def _kill(self, invocation: Invocation, container: Container) -> None:
        """The command and all that it started. Nothing where it has not begun, or has ended."""
        self._engine.run(container, ["sh", "-c", _KILL, "sh", f"{FOLDER}/{invocation.id}"])

    def _finish(self, run: Run, ended: dict[str, Any], seen: dict[str, Any]) -> None:
        """ended: what the agent says at the end."""
        code, reason = int(ended["exit"]), str(ended["reason"])
        at = datetime.fromtimestamp(ended["at"], UTC)
        if reason == "Timeout":
            self._end(run, "Timeout", "ExecutionTimeout", at, **seen)
        elif reason == "DirectoryNotExists":
            self._end(run, "Invalid", reason, at, **seen)
        elif reason == "UserOrGroupNotExists":
            self._end(run, "Invalid", "AccountNotExists", at, **seen)
        elif reason:
            self._end(run, "Error", "ExecutionException", at, why=reason, **seen)
        elif code == 0:
            self._end(run, "Success", at=at, exit_code=code, **seen)
        elif code < 0 and run.status == "Stopping":
            self._end(run, "Terminated", at=at, **seen)
        else:  # -1, as Alibaba Cloud's agent has it for what a signal ended
            self._end(run, "Failed", "ExitCodeNonzero", at, exit_code=max(code, -1), **seen)

    def _end(
        self,
        run: Run,
        status: Status,
        error: str = "",
        at: datetime | None = None,
        *,
        why: str = "",
        **changed: Any,
    ) -> None:
        """Over; nothing where it is that already."""
        store = self._cloud.store
        with store.transaction():
            if (now := self._open(run)) is not None:
                at = at or self._cloud.now()
                store.put(invocations.ended(now, at, status, error, why=why[:300], **changed))

    def _put(self, run: Run, **changed: Any) -> Run | None:
        """The run with other values, unless the API has ended it meanwhile."""
        with self._cloud.store.transaction():
            now = self._open(run)
            return None if now is None else self._cloud.store.put(now.but(**changed))

    def _open(self, run: Run) -> Run | None:
        """As it is now, unless it is over."""
        now = self._cloud.store.get(Run, run.id)
        return None if now is None or now.status not in UNFINISHED else now


def _since(thing: Run | Instance) -> datetime:
    """When it began to run."""
    return thing.started or thing.created
