"""Databases of servers: dumped, verified and loaded over TLS. Passwords are read from files in memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from care.settings import Database, Settings
from care.trouble import Trouble

_END = b"-- Dump completed"
_CURRENT = b"-- Current Database: `"


def dump(settings: Settings, of: Database, to: Path) -> None:
    """Writes a dump, verified. Raises Trouble when there is none."""
    if of.kind == "postgres":
        # Uncompressed: restic finds what is the same as yesterday, and compresses it itself.
        _run(
            settings,
            of,
            ["pg_dump", "-d", _address(of), "-Fc", "-Z0", "--lock-wait-timeout=10min", "-f", str(to)],
        )
    else:
        _run(
            settings,
            of,
            [
                "mariadb-dump", f"--defaults-file={_login(settings, of)}", "--single-transaction", "--quick",
                "--routines", "--triggers", "--events", "--hex-blob", "--no-tablespaces",
                "--add-drop-database", f"--result-file={to}", "--databases", of.database,
            ],
        )  # fmt: skip
    verify(of, to)


def verify(of: Database, path: Path) -> None:
    """Reads all of a dump. Raises Trouble when it is empty, cut short, or of another database."""
    if not path.is_file() or path.stat().st_size == 0:
        raise _broken(of, "it is empty")
    if of.kind == "postgres":
        done = subprocess.run(["pg_restore", "--list", path], capture_output=True)
        if done.returncode == 0:
            whole = subprocess.run(["pg_restore", "-f", "/dev/null", path], capture_output=True)
            done.returncode, done.stderr = whole.returncode, whole.stderr
        if done.returncode:
            raise _broken(of, done.stderr.decode(errors="replace").strip())
        names = {
            line.partition(b":")[2].strip().decode()
            for line in done.stdout.splitlines()
            if b"dbname:" in line
        }
    else:
        names, last = set(), b""
        with path.open("rb") as file:
            for line in file:
                if line.startswith(_CURRENT):
                    names.add(line.removeprefix(_CURRENT).rpartition(b"`")[0].decode())
                last = line if line.strip() else last
        if not last.startswith(_END):
            raise _broken(of, "its end is missing (-- Dump completed)")
    if names != {of.database}:
        raise _broken(of, f"it is of {', '.join(sorted(names)) or 'no database'}")


def load(settings: Settings, of: Database, path: Path) -> None:
    """Puts a verified dump in the place of the database: PostgreSQL in one transaction."""
    if of.kind == "postgres":
        # Extensions are the superuser's, and there already.
        listed = subprocess.run(["pg_restore", "--list", path], capture_output=True, check=True).stdout
        kept = [line for line in listed.splitlines(keepends=True) if b" EXTENSION " not in line]
        entries = settings.tmp / "entries"
        entries.write_bytes(b"".join(kept))
        _run(settings, of, [
            "pg_restore", "-L", str(entries), "--clean", "--if-exists", "--single-transaction",
            "--exit-on-error", "-d", _address(of), str(path),
        ])  # fmt: skip
        return
    with path.open("rb") as file:
        _run(settings, of, ["mariadb", f"--defaults-file={_login(settings, of)}"], stdin=file.fileno())


def _run(
    settings: Settings, of: Database, command: Sequence[str], *, stdin: int = subprocess.DEVNULL
) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(settings.tmp), "PGCONNECT_TIMEOUT": "30"}
    if of.kind == "postgres":
        word = settings.secret(of.password).replace("\\", "\\\\").replace(":", "\\:")
        env["PGPASSFILE"] = str(_private(settings.tmp / "pgpass", f"*:*:*:*:{word}\n"))
        env["PGOPTIONS"] = "-c lock_timeout=60s"
    done = subprocess.run(command, env=env, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-1000:]
        raise Trouble(
            f"database {of.database} on {of.host}: {command[0]}: {said or f'exit status {done.returncode}'}",
            fix=f"correct what it names; `./berth logs {of.host}` is the server's side",
        )


def _address(of: Database) -> str:
    return (
        f"host={of.host} port={of.port} user={of.user} dbname={of.database} "
        f"sslmode=verify-full sslrootcert={of.authority}"
    )


def _login(settings: Settings, of: Database) -> Path:
    word = settings.secret(of.password).replace("\\", "\\\\").replace('"', '\\"')
    return _private(
        settings.tmp / "mysql.cnf",
        f"""\
[client]
host={of.host}
port={of.port}
user={of.user}
password="{word}"
ssl-ca={of.authority}
ssl-verify-server-cert
default-character-set=utf8mb4
max_allowed_packet=1G
""",
    )


def _private(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def _broken(of: Database, reason: str) -> Trouble:
    return Trouble(
        f"the dump of database {of.database} on {of.host} is not whole: {reason}",
        fix="look at the server's log; take the next backup, or restore an earlier one",
    )
