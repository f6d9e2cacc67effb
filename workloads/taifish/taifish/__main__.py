"""`python -m taifish ROLE`: app, worker, beat or migrate."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from .logs import log, take_over
from .settings import Settings, SettingsError, check_folders, load, writable

METRICS = Path("/tmp/taifish-metrics")  # noqa: S108  a tmpfs of this container alone
WAIT = 60  # seconds for the database to appear, when tables are made
FOLDERS = {
    "app": ("logs", "uploads"),
    "worker": ("logs", "uploads", "exports"),
    "beat": (),
    "migrate": (),
}


def migrate(settings: Settings) -> int:
    """Makes or renews the tables; more than one may do so at the same time."""
    from sqlalchemy.exc import OperationalError, SQLAlchemyError

    from . import database, schema

    engine = database.connect(settings, pool=1)
    end = time.monotonic() + WAIT
    told = ""
    while True:
        try:
            before, after = schema.migrate(engine)
        except OperationalError as error:
            if time.monotonic() > end:
                log("migration-failed", severity="error", error=database.reason(error))
                return 1
            if told != (told := database.reason(error)):
                log("waiting", severity="warning", reason=told)
            time.sleep(2)
        except SQLAlchemyError as error:
            log("migration-failed", severity="error", error=database.reason(error))
            return 1
        else:
            log("migrated", before=before, after=after)
            return 0


def main(role: str) -> int:
    """Exit status 1 when settings, secrets or folders cannot be used; 2 for an unknown role."""
    if role not in FOLDERS:
        sys.stderr.write(f"taifish: unknown role {role!r}; allowed: {', '.join(FOLDERS)}\n")
        return 2
    take_over(role)
    try:
        settings = load()
        check_folders(settings, *FOLDERS[role])
    except SettingsError as error:
        log("refused-to-start", severity="error", error=str(error))
        return 1
    if writable(settings.folder("logs")):
        take_over(role, settings.folder("logs"))
    # Imported by role, and late: the metrics library looks for its folder when it is imported.
    if role == "app":
        shutil.rmtree(METRICS, ignore_errors=True)  # numbers of this container's earlier processes
        METRICS.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS)
        from .serve import serve

        return serve(settings)
    if role == "worker":
        from .worker import serve as work

        return work(settings)
    if role == "beat":
        from .beat import serve as tick

        return tick(settings)
    return migrate(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
