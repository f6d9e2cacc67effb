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
from emulator.plane.engine import Engine, ScriptError
from emulator.plane.machines import Machines
from emulator.services.ecs import invocations
from emulator.services.ecs.invocations import LARGEST_OUTPUT
from emulator.services.ecs.model_commands import UNFINISHED, Invocation, Run
from emulator.services.ecs.model_instances import Instance

AGENT: Final = "/usr/local/lib/assist.py"
FOLDER: Final = "/var/lib/cloud-assist"
HOME: Final = "/root"
"""Where a command runs that names no directory."""
DELIVERED_WITHIN: Final = timedelta(minutes=1)
ANSWERS_WITHIN: Final = timedelta(seconds=30)
"""How long after its time is over a command's agent has to say how it ended."""
_WATCHED: Final = 1.5  # seconds that a run is watched closely: most are over by then
_OFTEN: Final = 0.1  # seconds between two looks then
_SELDOM: Final = 5.0  # seconds between two looks at one that runs for long, at most

# $1 is the invocation's folder.
_DELIVER: Final = '[ -e "$1" ] || exec python3 "$2" "${1##*/}"'
_LOOK: Final = (
    'cd "$1" || exit 1; cat ended 2>/dev/null; echo; stat -c %s output 2>/dev/null || echo 0; '
    f"tail -c {LARGEST_OUTPUT} output 2>/dev/null | base64 -w0"
)
_KILL: Final = 'read -r pid < "$1/pid" && kill -s KILL -- "-$pid"; true'


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
        if instance is None:
            self._end(run, "Error" if begun else "Aborted", "InstanceReleased")
        elif begun and (instance.status != "Running" or _since(instance) > _since(run)):
            self._end(run, "Error", "ExecutionInterrupted")
        elif instance.status != "Running":
            self._end(run, "Aborted", "InstanceNotRunning")
        elif not begun and self._cloud.now() > run.created + DELIVERED_WITHIN:
            self._end(run, "Aborted", "DeliveryTimeout")
        else:
            container = self._machines.find(instance.id)
            if container is None:
                return
            if begun or self._deliver(run, invocation, instance, container):
                self._watch(run.id, invocation, container)

    def _deliver(self, run: Run, invocation: Invocation, instance: Instance, container: Container) -> bool:
        """Whether it runs now."""
        order = {
            "interpreter": ["sh", "-c"],  # what begins with #! is run by what stands there
            "suffix": ".sh",
            "content": invocations.script(self._cloud, invocation, instance),
            "directory": invocation.directory or HOME,
            "user": invocation.user or "root",
            "timeout": invocation.timeout,
        }
        command = ["sh", "-c", _DELIVER, "sh", f"{FOLDER}/{invocation.id}", AGENT]
        try:
            self._engine.run(container, command, stdin=json.dumps(order).encode())
        except ScriptError as failure:
            self._end(run, "Aborted", "ClientNotResponse", why=str(failure))
            return False
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
            try:
                over = self._look(run, invocation, container)
            except ScriptError as failure:
                self._end(run, "Error", "ClientNotResponse", why=str(failure))
                return
            if over:
                return
            if time.monotonic() > until:
                elapsed = (self._cloud.now() - _since(run)).total_seconds()
                self._next[run_id] = time.monotonic() + min(_SELDOM, elapsed / 4)
                return
            time.sleep(_OFTEN)

    def _look(self, run: Run, invocation: Invocation, container: Container) -> bool:
        """Whether the run is over. Raises ScriptError where the machine knows nothing of it."""
        if run.status == "Stopping":
            self._kill(invocation, container)
        command = ["sh", "-c", _LOOK, "sh", f"{FOLDER}/{invocation.id}"]
        ended, size, output = self._engine.run(container, command).split("\n", 2)
        seen = {"output": output.strip(), "dropped": max(0, int(size) - LARGEST_OUTPUT)}
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
        status: invocations.Status,
        error: str = "",
        at: datetime | None = None,
        *,
        why: str = "",
        **changed: Any,
    ) -> None:
        over = invocations.ended(run, at or self._cloud.now(), status, error, why=why[:300], **changed)
        self._put(run, **{name: value for name, value in dict(over).items() if name != "stopped"})

    def _put(self, run: Run, **changed: Any) -> Run | None:
        """The run with other values, unless the API has ended it meanwhile. One that it stops stays so."""
        with self._cloud.store.transaction():
            now = self._cloud.store.get(Run, run.id)
            if now is None or now.status not in UNFINISHED:
                return None
            return self._cloud.store.put(now.but(**changed))


def _since(thing: Run | Instance) -> datetime:
    """When it began to run."""
    return thing.started or thing.created
