"""Dumps of the stores: made, verified and loaded by the server's own tools, inside its container.

Passwords stay in the container: its scripts read them from the secret files there, into a file that only the
server's user reads.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops import streams
from ops.errors import UserError

if TYPE_CHECKING:
    from docker import DockerClient

_CHUNK = 1 << 16
_COMPLETED = b"-- Dump completed"
_CURRENT = b"-- Current Database: `"
_START = """\
set -eu
umask 077
login=/tmp/.berth-login.$$
trap 'rm -f "$login"' EXIT
trap 'exit 1' HUP INT TERM
"""
_POSTGRES = rf"""{_START}
printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' /run/secrets/password)" > "$login"
export PGPASSFILE="$login" PGCONNECT_TIMEOUT=10 PGOPTIONS='-c lock_timeout=60s'
export PGHOST=/var/run/postgresql PGDATABASE="$1" PGUSER="$2"
"""
_MYSQL = rf"""{_START}
cat > "$login" <<SECRET
[client]
user=root
password="$(sed 's/[\\"]/\\&/g' /run/secrets/root_password)"
socket=/var/run/mysqld/mysqld.sock
default-character-set=utf8mb4
max_allowed_packet=1G
[mysqldump]
loose-set-gtid-purged=OFF
SECRET
"""
# Arguments of each: the database, its owner, how many bytes come in, and of a list before them.
_DUMP = {
    "postgres": f"{_POSTGRES}\npg_dump -Fc",
    "mysql": f"{_MYSQL}\n"
    'mysqldump --defaults-file="$login" --single-transaction --routines --triggers --events --hex-blob \\\n'
    '    --no-tablespaces --add-drop-database --databases "$1"',
}
_LOAD = {
    # `head` may take more than it hands on.
    "postgres": f'{_POSTGRES}\ntrap \'rm -f "$login" "$login.list"\' EXIT\n'
    'dd bs=1 count="$4" 2>/dev/null > "$login.list"\n'
    'head -c "$3" \\\n'
    '    | pg_restore --clean --if-exists --single-transaction --exit-on-error -L "$login.list" -d "$1"',
    "mysql": f'{_MYSQL}\nhead -c "$3" | mysql --defaults-file="$login"',
}
_READ_ALL = 'head -c "$1" | pg_restore -f /dev/null'
_LIST = 'head -c "$1" | pg_restore --list'
SUFFIX = {"postgres": ".dump", "mysql": ".sql.gz"}
"""By the kind of a store; others have no dumps."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """A server with one database. name: as people call it; system and service name its files."""

    name: str
    system: str
    service: str
    container: str
    kind: str
    database: str
    user: str


def dump(client: DockerClient, store: Store, path: Path) -> int:
    """Writes a dump to `path`, which appears only when it is whole, on disk and verified; its size.

    Raises UserError when there is none; nothing is left then.
    """
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with ExitStack() as opened:
            raw = opened.enter_context(os.fdopen(descriptor, "wb"))
            out: Any = opened.enter_context(gzip.GzipFile("", "wb", 6, raw)) if store.kind == "mysql" else raw
            _do(client, store, _DUMP[store.kind], sink=out.write, doing="the dump failed")
        verify(client, store, part)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        part.unlink(missing_ok=True)
    return path.stat().st_size


def verify(client: DockerClient, store: Store, path: Path) -> int:
    """Reads the whole dump; how many bytes the server will be given of it.

    Raises UserError when it is empty, of another kind or of another database, cut short or damaged.
    """
    with _readable(path) as file:
        start = file.read(5)
    if not start:
        raise _broken(path, "it is empty")
    kind = "mysql" if start[:2] == b"\x1f\x8b" else "postgres" if start == b"PGDMP" else None
    if kind != store.kind:
        found = {"mysql": "compressed SQL", "postgres": "an archive of PostgreSQL"}.get(kind or "", "no dump")
        raise _broken(path, f"it is {found}, and {store.name} is {store.kind} ({SUFFIX[store.kind]})")
    return _verify_sql(store, path) if kind == "mysql" else _verify_archive(client, store, path)


def load(client: DockerClient, store: Store, path: Path, size: int) -> None:
    """Puts a dump that `verify` has measured into the running server. Raises UserError when that fails."""
    opener: Callable[..., Any] = gzip.open if store.kind == "mysql" else Path.open
    with opener(path, "rb") as file:
        listed = without_extensions(_listed(client, store, path, size)) if store.kind == "postgres" else b""
        feed = chain([listed], _measured(file, size, path)) if listed else _measured(file, size, path)
        sizes = str(size), str(len(listed))
        _do(client, store, _LOAD[store.kind], *sizes, feed=feed, doing="the restore failed")


def without_extensions(listed: bytes) -> bytes:
    """An archive's entries but for extensions: those are the superuser's, and there already."""
    return b"".join(line for line in listed.splitlines(keepends=True) if b" EXTENSION " not in line)


def _listed(client: DockerClient, store: Store, path: Path, size: int, script: str = _LIST) -> bytes:
    """What pg_restore says of an archive."""
    said = bytearray()
    with path.open("rb") as file:
        try:
            feed = _measured(file, size, path)
            streams.run(client, store.container, script, str(size), feed=feed, sink=said.extend)
        except streams.ScriptError as error:
            raise _broken(path, str(error)) from None
    return bytes(said)


def _verify_archive(client: DockerClient, store: Store, path: Path) -> int:
    size = path.stat().st_size
    listed = _listed(client, store, path, size)
    _listed(client, store, path, size, _READ_ALL)
    names = [line.partition(":")[2].strip() for line in listed.decode().splitlines() if "dbname:" in line]
    if names != [store.database]:
        raise _broken(path, f"it is of database {', '.join(names)}, and {store.name} has {store.database}")
    return size


def _verify_sql(store: Store, path: Path) -> int:
    size, last, names = 0, b"", set()
    try:
        with gzip.open(path, "rb") as file:
            # Pieces: one INSERT may be longer than what fits into memory.
            for piece in _pieces(file):
                size += len(piece)
                if piece.startswith(_CURRENT):
                    names.add(piece.removeprefix(_CURRENT).rpartition(b"`")[0].decode())
                if piece.strip():
                    last = piece
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, str(error)) from None
    if not last.startswith(_COMPLETED):
        raise _broken(path, "its end is missing (-- Dump completed)" if size else "it is empty")
    if names != {store.database}:
        found = ", ".join(sorted(names)) or "none that it names"
        raise _broken(path, f"it is of database {found}, and {store.name} has {store.database}")
    return size


def _pieces(file: Any) -> Iterator[bytes]:
    """Lines, the long ones in pieces of which only the first can look like the start of a line."""
    fresh = True
    while piece := file.readline(_CHUNK):
        yield piece if fresh else b" " + piece[1:]
        fresh = piece.endswith(b"\n")


def _measured(file: Any, size: int, path: Path) -> Iterator[bytes]:
    """So many bytes: the script at the other end would wait for the rest for ever."""
    left = size
    while left and (chunk := file.read(min(_CHUNK, left))):
        left -= len(chunk)
        yield chunk
    if left or file.read(1):
        raise _broken(path, "it changed while it was read")


def _readable(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}", fix="name a dump of ./berth backup"
        ) from None


def _broken(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path.name.removesuffix('.part').removeprefix('.')} is no whole dump: {reason}; "
        "nothing was changed",
        fix="name another file of ./berth backup, or make a new one",
    )


def _do(client: DockerClient, store: Store, script: str, *args: str, doing: str, **streamed: Any) -> None:
    try:
        streams.run(client, store.container, script, store.database, store.user, *args, **streamed)
    except streams.ScriptError as error:
        raise UserError(
            f"{store.name}: {doing}: {error}",
            fix=f"correct what it names; `docker logs {store.container}` is the server's side",
        ) from None
