"""What the environment says. Every problem is reported at once; secrets come from files alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FOLDERS = ("logs", "uploads", "exports", "backups")


class SettingsError(ValueError):
    """Something is missing or wrong; the text names every variable and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """All roles read the same settings. Times in seconds, sizes in bytes."""

    database_url: str
    database_password_file: Path
    redis_url: str
    redis_password_file: Path
    redis_ca_file: Path | None
    data: Path
    timezone: str
    """Name of the zone whose 02:00 starts the nightly clean-up."""
    port: int = 5000
    processes: int = 2
    threads: int = 8
    concurrency: int = 2
    """Tasks that one worker does at the same time."""
    drain: float = 2
    """From SIGTERM to closing the port: connections are told to close and /health says 503."""
    stop_grace: float = 20
    """After that, for running requests."""
    database_seconds: float = 8
    """That a request or a task waits for a connection to the database, before it fails."""
    health_seconds: float = 4
    """For what /health asks: a dependency that is slow on a busy host has not failed. Below the time after
    which probes give up (10 s) and `./berth up` does (5 s), so that the answer still names what has."""
    lease: float = 30
    """Without a sign of life from a task for so long, another worker takes it over."""
    attempts: int = 5
    """Of a task, before it counts as failed."""
    task_seconds: int = 300
    """A task that takes longer has failed."""
    max_request: int = 10 << 20
    max_upload: int = 200 << 20
    keep_days: int = 30
    """Exports and uploads older than this are removed at night."""

    def folder(self, name: str) -> Path:
        """One of FOLDERS below `data`."""
        return self.data / name

    def database_password(self) -> str:
        """Read anew for each connection, so that a changed secret needs no restart."""
        return secret(self.database_password_file)

    def redis_password(self) -> str:
        """Read anew for each connection."""
        return secret(self.redis_password_file)


def secret(path: Path) -> str:
    """The text of a secret's file, without the line end that editors add. Raises SettingsError."""
    try:
        text = path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise SettingsError(f"{path}: the secret cannot be read: {reason}") from error
    if not text:
        raise SettingsError(f"{path}: the secret is empty")
    return text


NUMBERS: dict[str, tuple[str, type[int] | type[float], float, float]] = {
    "PORT": ("port", int, 1, 65535),
    "WEB_PROCESSES": ("processes", int, 1, 64),
    "WEB_THREADS": ("threads", int, 1, 256),
    "CONCURRENCY": ("concurrency", int, 1, 64),
    "DRAIN": ("drain", float, 0, 600),
    "STOP_GRACE": ("stop_grace", float, 0, 3600),
    "DATABASE_SECONDS": ("database_seconds", float, 1, 60),
    "HEALTH_SECONDS": ("health_seconds", float, 0.1, 9),
    "TASK_LEASE": ("lease", float, 3, 3600),
    "TASK_ATTEMPTS": ("attempts", int, 1, 100),
    "TASK_SECONDS": ("task_seconds", int, 1, 86400),
    "MAX_REQUEST": ("max_request", int, 1024, 1 << 30),
    "MAX_UPLOAD": ("max_upload", int, 1024, 1 << 40),
    "KEEP_DAYS": ("keep_days", int, 1, 36500),
}


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError naming everything that is wrong."""
    problems: list[str] = []

    def need(name: str) -> str:
        value = environ.get(name, "")
        if not value:
            problems.append(f"{name} is not set")
        return value

    def url(name: str, schemes: tuple[str, ...]) -> str:
        value = need(name)
        if value:
            try:
                parts = urlsplit(value)
                _ = parts.port
            except ValueError as error:
                problems.append(f"{name} is no address: {error}")
                return ""
            if parts.scheme not in schemes or not parts.hostname:
                problems.append(f"{name} must be an address that starts with {' or '.join(schemes)}://")
            elif parts.password is not None or "password=" in parts.query:
                problems.append(
                    f"{name} must not hold the password: put it in the file that the _FILE variable names"
                )
        return value

    def password_file(name: str) -> Path:
        if environ.get(name):
            problems.append(f"{name} must not be in the environment: set {name}_FILE to a file that holds it")
        value = need(f"{name}_FILE")
        if value:
            try:
                secret(Path(value))
            except SettingsError as error:
                problems.append(f"{name}_FILE: {error}")
        return Path(value)

    def number(name: str, convert: type[int] | type[float], low: float, high: float) -> float | None:
        text = environ.get(name, "")
        if not text:
            return None
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            kind = "a whole number" if convert is int else "a number"
            problems.append(f"{name}={text!r} must be {kind} from {low:g} to {high:g}")
            return None
        return value

    zone = environ.get("TIMEZONE") or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(f"TIMEZONE={zone!r} is no time zone; allowed: names like Asia/Shanghai or UTC")
    ca = environ.get("REDIS_CA_FILE")
    numbers = {
        field: value
        for name, (field, convert, low, high) in NUMBERS.items()
        if (value := number(name, convert, low, high)) is not None
    }
    settings = Settings(
        database_url=url("DATABASE_URL", ("postgresql",)),
        database_password_file=password_file("DATABASE_PASSWORD"),
        redis_url=url("REDIS_URL", ("redis", "rediss")),
        redis_password_file=password_file("REDIS_PASSWORD"),
        redis_ca_file=Path(ca) if ca else None,
        data=Path(environ.get("DATA") or "/app/data"),
        timezone=zone,
        **numbers,  # type: ignore[arg-type]
    )
    if settings.redis_url.startswith("rediss") and settings.redis_ca_file is None:
        problems.append("REDIS_CA_FILE is not set, and REDIS_URL asks for TLS")
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def writable(folder: Path) -> bool:
    """Whether files can be made in it."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def check_folders(settings: Settings, *names: str) -> None:
    """Raises SettingsError naming the folders below DATA that are missing or cannot be written."""
    bad = [str(settings.folder(name)) for name in names if not writable(settings.folder(name))]
    if bad:
        raise SettingsError(f"not a folder that uid {os.getuid()} may write: {', '.join(bad)}")
