"""The whole of one emulated cloud: what exists, whose it is, and what time it is there."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from emulator.access import AccessKey
from emulator.api.faults import Faults
from emulator.ids import Ids
from emulator.store import Store

KEPT_CALLS: Final = 500
PUBLIC: Final = IPv4Network("198.18.64.0/20")
"""Where public addresses are from: reserved for tests of networks (RFC 2544), nobody's on the internet."""


@dataclass(frozen=True)
class Logged:
    """One API call, as the page shows it. No parameter: they may hold passwords."""

    at: datetime
    action: str
    region: str
    caller: str
    status: int
    code: str
    request_id: str
    seconds: float


@dataclass
class Cloud:
    """Everything that an action may touch. `now` is a function so that tests can let time pass."""

    store: Store
    ids: Ids
    account: str
    folder: Path
    """Where what is too large for the store lies: objects of buckets."""
    public: IPv4Network = PUBLIC
    pace: float = 1.0
    """How long the steps of states take, against what is usual here; 0: at once."""
    machines: bool = False
    """Whether machines run behind the instances; what they are told to run is not run otherwise."""
    plane: Callable[[], dict[str, object]] = dict
    """What the machines' side says of itself; nothing where nothing runs."""
    console: Callable[[str], bytes] = lambda _: b""
    """What a machine has said on its console, by its instance; nothing where nothing runs. It may take
    seconds, and raises ConnectionError where nothing can be learned."""
    settle: Callable[[], None] = lambda: None
    """Called before each call: brings states that move by the clock to where they are."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    faults: Faults = field(default_factory=Faults)
    calls: deque[Logged] = field(default_factory=lambda: deque(maxlen=KEPT_CALLS))

    def after(self, seconds: float) -> datetime:
        """When a step ends that begins now and takes so long."""
        return self.now() + timedelta(seconds=seconds * self.pace)

    def new_id(self, prefix: str) -> str:
        """A new id. How many were drawn is kept, so that a seeded cloud goes on after a restart."""
        drawn = self.ids.new(prefix)
        self.store.set_fact("drawn", str(self.ids.drawn))
        return drawn


def open_cloud(
    folder: Path, *, seed: int | None = None, pace: float = 1.0, now: Callable[[], datetime] | None = None
) -> Cloud:
    """The cloud whose state is in the folder; a new one, with an account and a key, where there is none.

    seed: for a new one, so that its ids repeat; one that exists keeps its own.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(folder / "state.sqlite")
    if (account := store.fact("account")) is None:
        with store.transaction():
            account = str(10**15 + secrets.randbelow(9 * 10**15)) if seed is None else f"{10**15 + seed}"
            store.set_fact("account", account)
            if seed is not None:
                store.set_fact("seed", str(seed))
            store.put(
                AccessKey(
                    id="LTAI5t" + secrets.token_hex(9),
                    region="",
                    secret=secrets.token_urlsafe(23)[:30],
                    principal=account,
                )
            )
    kept = store.fact("seed")
    ids = Ids(int(kept) if kept else None, drawn=int(store.fact("drawn") or 0))
    cloud = Cloud(store, ids, account, folder, pace=pace)
    if now is not None:
        cloud.now = now
    return cloud
