"""Who may do what in a PostgreSQL server: its superuser stays inside, the application owns one database.

The superuser `postgres` gets in over the socket in the server's container alone, as the user that the server
runs as. So an injection into the application's SQL is neither a shell in that container nor its files.
"""

from __future__ import annotations

from components.stores.postgres_settings import PostgresSpec
from components.stores.store import CERTIFICATE, CONFIG, InitScript

SUPERUSER = "postgres"
REPLICATOR = "replicator"
"""The role that replicas log in as; a job makes it when the first replica comes."""
SCHEMA = "berth"
"""In the superuser's database, what of ours the owner may call there."""
RUN = "/var/run/postgresql"
DATA = "/var/lib/postgresql/data"
SECRETS = "/run/secrets"
PASSWORD = "password"  # noqa: S105  (a file's name)
CLASH = f"SELECT count(*) FROM pg_roles WHERE rolname = '{SUPERUSER}' AND oid <> 10"  # noqa: S608  (a constant)
"""Whether somebody has the superuser's name who did not make the data."""
CHECKED = ".berth-owner"
"""Among the data: the digest of what they were last started with."""


def init_scripts(spec: PostgresSpec) -> tuple[InitScript, ...]:
    """Those of the stack between ours: they run as the owner; `SET ROLE NONE` makes them the superuser."""
    first = f"""\
set -e
psql -qX -v ON_ERROR_STOP=1 -U {SUPERUSER} -d {SUPERUSER} <<'SQL'
CREATE ROLE {spec.user} LOGIN;
ALTER ROLE {SUPERUSER} PASSWORD NULL;
ALTER ROLE {SUPERUSER} IN DATABASE {spec.database} SET role = '{spec.user}';
SQL
psql -qX -v ON_ERROR_STOP=1 -U {SUPERUSER} -d {SUPERUSER} -f {CONFIG}/password.sql
psql -qX -v ON_ERROR_STOP=1 -U {SUPERUSER} -d {SUPERUSER} -f {CONFIG}/owner.sql
"""
    last = f"""\
set -e
psql -qX -v ON_ERROR_STOP=1 -U {SUPERUSER} -d {SUPERUSER} \\
    -c 'ALTER ROLE {SUPERUSER} IN DATABASE {spec.database} RESET role'
{digest()} > "$PGDATA/{CHECKED}"
"""
    own = (InitScript(name=f"1-{script.name}", text=script.text) for script in spec.init)
    return InitScript(name="0-owner.sh", text=first), *own, InitScript(name="2-done.sh", text=last)


def files(spec: PostgresSpec) -> dict[str, str]:
    """What the server of a primary has besides its settings."""
    return {
        "owner.sql": _owner(spec),
        "password.sql": _password(spec),
        "start.sh": start(admit=True),
    }


def start(*, admit: bool) -> str:
    """PostgreSQL takes a private key only from a file that nobody else reads."""
    made = f"""\
if [ -s {DATA}/PG_VERSION ]; then
    sh {CONFIG}/admit.sh
else
    # The images want a password of the superuser; nobody ever learns this one.
    od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' > {RUN}/superuser
    export POSTGRES_PASSWORD_FILE={RUN}/superuser
fi
"""
    return f"""\
set -eu
umask 077
cat {SECRETS}/{CERTIFICATE} > {RUN}/server.pem
{made if admit else ""}exec docker-entrypoint.sh "$@"
"""


def digest() -> str:
    """Of what data must be looked at again for: a password or key that is new, other rights of the owner.

    With the private key in it, so that nobody who has but the data can try passwords on it.
    """
    return f"cat {SECRETS}/{PASSWORD} {SECRETS}/{CERTIFICATE} {CONFIG}/owner.sql | sha256sum"


def proof() -> str:
    """What only they can say who hold the server's private key, without telling it: 64 hexadecimal digits."""
    return f"sha256sum < {SECRETS}/{CERTIFICATE} | cut -c 1-64"


def _password(spec: PostgresSpec) -> str:
    """Without a trace in the server's log, however slow it is."""
    return f"""\
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
\\set word `cat {SECRETS}/{PASSWORD}`
ALTER ROLE {spec.user} PASSWORD :'word';
"""


def _owner(spec: PostgresSpec) -> str:
    """The owner's rights, run as often as anybody likes, in the database that belongs to the superuser.

    The function is all that the job of a replica needs a superuser for. It wants a proof: an injection into
    the application's SQL runs as the owner, too, and lets no replica in. What it says in that database is not
    logged: the job's words have a password in them.
    """
    return f"""\
SET client_min_messages = warning;
\\set digest `{proof()} | sha256sum | cut -c 1-64`
BEGIN;
ALTER ROLE {spec.user} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER DATABASE {spec.database} OWNER TO {spec.user};
ALTER ROLE {spec.user} IN DATABASE {SUPERUSER} SET log_min_duration_statement = -1;
ALTER ROLE {spec.user} IN DATABASE {SUPERUSER} SET log_min_error_statement = panic;
DROP ROLE IF EXISTS berth_split;
DROP FUNCTION IF EXISTS public.berth_allow_replica(text, name);
-- A schema in which nobody else makes anything: a function of the same name would be told the proof.
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
GRANT USAGE ON SCHEMA {SCHEMA} TO {spec.user};
SELECT format($make$
CREATE OR REPLACE FUNCTION {SCHEMA}.allow_replica(proof text, word text, slot name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF proof IS NULL OR encode(sha256(convert_to(proof || E'\\n', 'UTF8')), 'hex') <> %L THEN
        RAISE insufficient_privilege USING MESSAGE = 'that is no proof of the server''s private key';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{REPLICATOR}') THEN
        CREATE ROLE {REPLICATOR};
    END IF;
    EXECUTE format('ALTER ROLE {REPLICATOR} REPLICATION LOGIN PASSWORD %%L', word);
    IF NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = slot) THEN
        PERFORM pg_create_physical_replication_slot(slot, true);
    END IF;
END $$
$make$, :'digest') \\gexec
REVOKE ALL ON FUNCTION {SCHEMA}.allow_replica(text, text, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {SCHEMA}.allow_replica(text, text, name) TO {spec.user};
COMMIT;
"""  # noqa: S608  (identifiers, checked)
