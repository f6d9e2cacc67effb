"""Cloud Assistant: commands, and what came of running them."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from emulator.store import Thing
from emulator.tags import Tagged

Type = Literal["RunShellScript", "RunBatScript", "RunPowerShellScript"]
Status = Literal[
    "Pending", "Running", "Stopping",
    "Success", "Failed", "Timeout", "Error", "Invalid", "Aborted", "Cancelled", "Terminated",
]  # fmt: skip
UNFINISHED: Final[tuple[Status, ...]] = ("Pending", "Running", "Stopping")


class Command(Tagged, kind="command"):
    """A script that can be run on instances."""

    name: str
    description: str = ""
    type: Type
    content: str
    """In base64."""
    parameterized: bool = False
    """Whether {{name}} in the content is a parameter."""
    timeout: int
    """Seconds."""
    directory: str = ""
    resource_group: str = ""
    invoked: int = 0
    """How often it was run."""


class Invocation(Tagged, kind="invocation"):
    """One order to run a command on some instances. It has a copy of the command: that may go before it."""

    command: str
    name: str
    description: str
    type: Type
    content: str
    """In base64, the parameters not yet filled in."""
    parameterized: bool
    values: dict[str, str]
    """Of the parameters, by name as the caller spelled it."""
    timeout: int
    directory: str
    user: str
    resource_group: str


class Run(Thing, kind="invocation-run"):
    """An invocation on one instance. Its id is the invocation's, a slash, the instance's."""

    invocation: str
    command: str
    instance: str
    status: Status = "Pending"
    since: datetime
    """When the status was reached."""
    unreachable: datetime | None = None
    """From when on it is known that no machine is there to run it: of clouds without machines."""
    started: datetime | None = None
    finished: datetime | None = None
    stopped: datetime | None = None
    """When it was asked to stop."""
    exit_code: int | None = None
    error: str = ""
    """Alibaba Cloud's code of why it did not run, or not to a good end."""
    info: str = ""
    output: str = ""
    """The last 24 KiB, in base64."""
    dropped: int = 0
    """Bytes of output before those."""

    def over(self, now: datetime) -> bool:
        """Whether it has ended by now, be it that nobody has written that down yet."""
        lost = self.unreachable is not None and self.unreachable <= now
        return lost or self.status not in UNFINISHED
