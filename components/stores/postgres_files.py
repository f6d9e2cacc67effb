"""The texts around a PostgreSQL server: its settings, who may connect, how it starts, what is checked."""

from __future__ import annotations

from components.stores.postgres_owner import CLASH, DATA, PASSWORD, REPLICATOR, RUN, SCHEMA, SUPERUSER, proof
from components.stores.postgres_owner import SECRETS as _SECRETS
from components.stores.postgres_settings import PostgresSpec
from components.stores.store import AUTHORITY, CERTIFICATE, CONFIG
from components.stores.tuning import PostgresTuning
from components.units import Duration

REPLICATION_PASSWORD = "replication_password"  # noqa: S105  (a file's name)


def settings(tuning: PostgresTuning, *, follows: str | None = None) -> str:
    """postgresql.conf. follows: the connection and the slot of a replica, as the lines that it needs."""
    slow = tuning.log_slower_than
    return f"""\
listen_addresses = '*'
unix_socket_directories = '{RUN}'
hba_file = '{CONFIG}/pg_hba.conf'
max_connections = {tuning.max_connections}

ssl = on
ssl_cert_file = '{RUN}/server.pem'
ssl_key_file = '{RUN}/server.pem'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = 'scram-sha-256'

shared_buffers = {tuning.shared_buffers.written("B")}
work_mem = {tuning.work_mem.written("B")}
maintenance_work_mem = {tuning.maintenance_work_mem.written("B")}
effective_cache_size = {tuning.effective_cache_size.written("B")}
random_page_cost = {tuning.random_page_cost:g}

wal_level = replica
max_wal_senders = 10
max_replication_slots = 10
max_wal_size = {tuning.max_wal_size.written("B")}
max_slot_wal_keep_size = {tuning.kept_wal.written("B")}
hot_standby = on

idle_in_transaction_session_timeout = {_milliseconds(tuning.idle_in_transaction)}
log_min_duration_statement = {_milliseconds(slow) if slow else -1}
log_line_prefix = '%m [%p] %q%u@%d '
log_timezone = 'UTC'
timezone = 'UTC'
{follows or ""}"""


def hba() -> str:
    """pg_hba.conf: TLS and a password for all who come over the network, which the superuser cannot."""
    return f"""\
local   all          {SUPERUSER}           peer
local   all          all                scram-sha-256
hostssl all          {SUPERUSER}     all   reject
hostssl all          all          all   scram-sha-256
hostssl replication  {REPLICATOR}   all   scram-sha-256
"""


def follow(primary: str, slot: str) -> str:
    """The end of a replica's postgresql.conf."""
    return f"""
primary_conninfo = '{_replication(primary)} application_name={slot}'
primary_slot_name = '{slot}'
"""


def start_replica(primary: str, slot: str) -> str:
    """Copies the primary first; PG_VERSION comes last, so that half a copy is never taken for a whole one."""
    return f"""\
set -eu
umask 077
cat {_SECRETS}/{CERTIFICATE} > {RUN}/server.pem
word=$(sed 's/[\\\\:]/\\\\&/g' {_SECRETS}/{REPLICATION_PASSWORD})
printf '*:*:*:{REPLICATOR}:%s\\n' "$word" > {RUN}/pgpass
if [ ! -s {DATA}/PG_VERSION ]; then
    find {DATA} -mindepth 1 -delete
    pg_basebackup -d '{_replication(primary)}' -D {DATA}/incoming -S {slot} -X stream --checkpoint=fast
    touch {DATA}/incoming/standby.signal
    find {DATA}/incoming -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv {{}} {DATA}/ \\;
    mv {DATA}/incoming/PG_VERSION {DATA}/
    rmdir {DATA}/incoming
fi
exec docker-entrypoint.sh "$@"
"""


def _replication(primary: str) -> str:
    return (
        f"host={primary} port=5432 user={REPLICATOR} passfile={RUN}/pgpass "
        f"sslmode=verify-full sslrootcert={CONFIG}/{AUTHORITY}"
    )


def probe(user: str, database: str, *, inside: str = "") -> str:
    """Logs in over TLS with the password and asks a question; `inside` only a superuser may ask."""
    more = f'answer=$(psql -qAtX -U {SUPERUSER} -d {SUPERUSER} -c "{inside}") || exit 1\n' + _TRUE
    return f"""\
PGPASSWORD=$(cat {_SECRETS}/{PASSWORD}) || exit 1
export PGPASSWORD PGCONNECT_TIMEOUT=3
answer=$(psql -qAtX '{_login("127.0.0.1", user, database, "verify-ca")}' -c "SELECT true") || exit 1
{_TRUE}{more if inside else ""}"""


_TRUE = '[ "$answer" = t ] || { echo "answered $answer"; exit 1; }\n'


def guard(preamble: str, spec: PostgresSpec) -> str:
    """Refuses data of another version, and a password that the running server would not take."""
    login = _login(spec.alias, spec.user, spec.database, "require")
    return f"""{preamble}
{_version_check()}
if pg_isready -q -h {spec.alias} -t 3 2>/dev/null; then
    PGPASSWORD=$(cat {_SECRETS}/{PASSWORD}) PGCONNECT_TIMEOUT=5 \\
        psql -qAtX '{login}' -c "{CLASH}" >/tmp/clash 2>/tmp/said \\
        || refuse "the running server does not let '{spec.user}' in: $(tail -n 1 /tmp/said)" \\
            "set the password back, or first change it in the server: ALTER ROLE {spec.user} PASSWORD '...'"
    [ "$(cat /tmp/clash)" = 0 ] || refuse "the data have a role '{SUPERUSER}' that did not make them" \\
        'the server needs that name for its superuser: ALTER ROLE {SUPERUSER} RENAME TO ...'
fi
"""


def replica_guard(preamble: str) -> str:
    """Refuses data of another version."""
    return f"{preamble}\n{_version_check()}\n"


def _version_check() -> str:
    return """\
if [ -s "$data/PG_VERSION" ]; then
    have=$(cat "$data/PG_VERSION")
    want=$(postgres --version | sed 's/^[^0-9]*\\([0-9]*\\).*/\\1/')
    [ "$have" = "$want" ] || refuse "the data are of PostgreSQL $have, the image is PostgreSQL $want" \\
        "use an image of PostgreSQL $have, or move the data first (pg_dump and restore, or pg_upgrade)"
fi"""


def allow_replica(primary: str, user: str, slot: str) -> str:
    """A job's script, run as often as anybody likes: the replicas' role, its password, one slot.

    What nobody else may know goes as data: every session of the same role sees the text of a query.
    """
    login = _login(primary, user, SUPERUSER, "verify-full")
    return f"""\
set -eu
PGPASSWORD=$(cat {_SECRETS}/{PASSWORD})
PROOF=$({proof()})
WORD=$(cat {_SECRETS}/{REPLICATION_PASSWORD})
WORD=$(printf %s "$WORD" | od -An -v -tx1 | tr -d ' \n')
export PGPASSWORD PGCONNECT_TIMEOUT=10 PROOF WORD
psql -qAtX -v ON_ERROR_STOP=1 '{login}' <<'SQL'
CREATE TEMP TABLE told (proof text, word text);
\\copy told FROM PROGRAM 'printf "%s\\t%s\\n" "$PROOF" "$WORD"'
SELECT {SCHEMA}.allow_replica(proof, convert_from(decode(word, 'hex'), 'UTF8'), '{slot}') FROM told;
SQL
"""  # noqa: S608  (identifiers, checked)


def _login(host: str, user: str, database: str, mode: str) -> str:
    authority = f" sslrootcert={CONFIG}/{AUTHORITY}" if mode.startswith("verify") else ""
    return f"host={host} port=5432 user={user} dbname={database} sslmode={mode}{authority}"


def _milliseconds(duration: Duration) -> int:
    return int(duration.seconds * 1000)
