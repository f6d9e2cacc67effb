"""care-backup: serve (the nights), now, list, restore, health."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from care import sources, state, work
from care.repository import Repository
from care.restore import restore
from care.settings import Settings, load
from care.trouble import Trouble, of_system, say

_RETRY = 15 * 60  # seconds between a failed backup and the next attempt
_DAY = 86400
_STARTED = Path("/tmp/started")  # noqa: S108  (a tmpfs of the container)


def until_next(hour: int, minute: int, now: datetime) -> float:
    """Seconds to the next hour:minute of the clock."""
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return ((then if then > now else then + timedelta(days=1)) - now).total_seconds()


def serve(settings: Settings) -> int:
    """Backs up every night, and at once where a night was missed. Ends on SIGTERM."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        _STARTED.write_text(str(time.time()))
        while True:
            left = until_next(settings.hour, settings.minute, datetime.now())
            night = left <= 60
            if night:
                time.sleep(left)
            if not night and not _due(settings):
                # In steps: a clock that is set, or summer time, moves the hour.
                time.sleep(55)
            elif not _attempt(settings, night=night):
                time.sleep(_RETRY)
    except KeyboardInterrupt:
        pass
    finally:
        sources.clear(settings)
    return 0


def _due(settings: Settings) -> bool:
    """Whether a night was missed, or went wrong."""
    known = state.read(settings)
    oldest = min(
        float(known.get(part, 0)) for part in ("at", *(["off_site_at"] if settings.off_site else []))
    )
    return bool(time.time() - oldest >= _DAY or known.get("failed") or known.get("off_site_failed"))


def _only_the_copy_failed(settings: Settings) -> bool:
    """Then another snapshot would only be one more that does not get there."""
    known = state.read(settings)
    young = time.time() - float(known.get("at", 0)) < _DAY
    return bool(settings.off_site and known.get("off_site_failed")) and not known.get("failed") and young


def _attempt(settings: Settings, *, night: bool = False) -> bool:
    full = True if night and datetime.now().weekday() == settings.full_day else None
    try:
        with state.alone(settings, wait=3600):
            if not night and _only_the_copy_failed(settings):
                work.copy_off_site(settings, Repository(settings))
            else:
                work.back_up(settings, full=full)
        return True
    except Trouble as error:
        say(f"BACKUP FAILED: {error.cause}", level="error", fix=error.fix, again_minutes=_RETRY // 60)
        return False


def listing(settings: Settings, *, off_site: bool) -> list[dict[str, object]]:
    """The snapshots of this system, oldest first."""
    repository = work.off_site(settings) if off_site else Repository(settings)
    if not repository.made():
        return []
    return [
        {
            "id": one["short_id"],
            "time": one["time"][:19] + "Z",
            "tags": one.get("tags", []),
            "owner": one["hostname"],
        }
        for one in repository.snapshots()
    ]


def health(settings: Settings) -> int:
    """0 while the newest backup is good and young enough."""
    try:
        started = float(_STARTED.read_text())
    except (OSError, ValueError):
        started = 0.0
    if told := state.complaint(settings, started=started):
        print(told)  # noqa: T201
        return 1
    return 0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="care-backup")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("serve", help="every night")
    now = verbs.add_parser("now", help="one backup")
    now.add_argument("--full", action="store_true", help="read every file and every stored byte again")
    now.add_argument("--accept-empty", action="store_true", help="although something is gone that was there")
    shown = verbs.add_parser("list", help="the snapshots, as JSON")
    shown.add_argument("--off-site", action="store_true")
    back = verbs.add_parser("restore", help="a snapshot in the place of what is there")
    back.add_argument("snapshot", help="an id of `list`, or latest")
    back.add_argument("--off-site", action="store_true")
    verbs.add_parser("health", help="exits 0 while the newest backup is good")
    given = parser.parse_args(argv)
    try:
        settings = load()
        match given.verb:
            case "serve":
                return serve(settings)
            case "health":
                return health(settings)
            case "list":
                print(json.dumps(listing(settings, off_site=given.off_site)))  # noqa: T201
            case "now":
                with state.alone(settings, wait=600):
                    work.back_up(settings, full=given.full or None, accept_empty=given.accept_empty)
            case "restore":
                with state.alone(settings, wait=600):
                    restore(settings, given.snapshot, off_site=given.off_site)
    except (Trouble, OSError) as error:
        told = error if isinstance(error, Trouble) else of_system(error, Settings.home)
        say(told.cause, level="error", fix=told.fix)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
