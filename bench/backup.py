"""Backup and restore of 1 GiB through the image `care`, against plain restic in the same container."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median

import docker
from docker.models.containers import Container

from bench.result import Result, turns
from tests.docker.care import care, does

_FILES, _SIZE = 64, 16  # MiB each
_GOAL = 1 / 0.9  # of the time: 0.9 of the throughput
_RESTIC = (
    "restic -q --password-file /run/secrets/repository_password "
    "--cache-dir /backup/plain-cache -r /backup/plain"
)
_MADE = (
    "from care import repository, settings, work; "
    "it = settings.load(); work.ensure(it, repository.Repository(it))"
)
_FILL = f"for n in $(seq {_FILES}); do head -c {_SIZE}M /dev/urandom > /data/files/$n.bin; done"


def backup(rounds: int = int(os.environ.get("BENCH_ROUNDS", "3"))) -> list[Result]:
    """Each round makes the repositories anew; the files were just written, so no side waits for the disk."""
    client = docker.from_env(timeout=3600)
    with care(client) as made:
        made.settings["minimum_free"] = 0
        box = made.start()
        _does(box, _FILL)
        # The key of a new repository is made so that it takes its time: once, on no side.
        alone, careful, ours = turns(
            [
                lambda: _timed(box, _fresh_plain, f"{_RESTIC} backup /data/files"),
                lambda: _timed(
                    box,
                    _fresh_plain,
                    f"{_RESTIC} backup /data/files && {_RESTIC} check --read-data "
                    f"&& {_RESTIC} forget --keep-within 28d --prune",
                ),
                lambda: _timed(box, _fresh, "care-backup now --full"),
            ],
            rounds,
        )
        plain, restored = turns(
            [
                lambda: _timed(
                    box,
                    _tidy,
                    f"{_RESTIC} backup --tag before-restore /data/files "
                    f"&& {_RESTIC} restore latest --target /data/files/.plain",
                ),
                lambda: _timed(box, _tidy, "care-backup restore latest"),
            ],
            rounds,
        )
    size = f"{_FILES * _SIZE} MiB, {rounds} rounds in turns"
    return [
        _result("backup against restic backup + check + forget", ours, careful, _GOAL, size),
        _result("the same against restic backup alone", ours, alone, None, size),
        _result("restore over as much against restic backup + restore", restored, plain, _GOAL, size),
    ]


def _result(what: str, ours: list[float], plain: list[float], goal: float | None, size: str) -> Result:
    detail = f"{median(ours):.1f} s against {median(plain):.1f} s; {size}"
    return Result(what, median(ours) / median(plain), "x", goal, detail)


def _timed(box: Container, prepare: Callable[[Container], None], script: str) -> float:
    prepare(box)
    began = time.monotonic()
    _does(box, script)
    return time.monotonic() - began


def _tidy(box: Container) -> None:
    _does(box, "rm -rf /data/files/.plain; sync")


def _fresh(box: Container) -> None:
    _does(box, "rm -rf /backup/repository /backup/cache /backup/owner /backup/state.json")
    _does(box, f"python3.11 -c '{_MADE}'; sync")


def _fresh_plain(box: Container) -> None:
    _does(box, f"rm -rf /backup/plain /backup/plain-cache; {_RESTIC} init --repository-version 2; sync")


def _does(box: Container, script: str) -> None:
    code, said = does(box, "sh", "-ec", script)
    if code:
        raise RuntimeError(f"{script}: {said}")
