"""What a PostgreSQL server does before it serves data that are there: lets their owner in, or refuses.

A guard cannot ask data without a server. So the server's own container asks them, with a server that nobody
else reaches; only where the password or the certificate is not that of the last start.
"""

from __future__ import annotations

from components.stores.postgres_owner import CHECKED, CLASH, DATA, PASSWORD, SECRETS, SUPERUSER, digest
from components.stores.postgres_settings import PostgresSpec
from components.stores.store import CONFIG

REFUSED = 78
"""Exit status (EX_CONFIG) of a start that no further attempt makes better."""
_TAKE = "take-password"
_BOOTSTRAP = 10  # the oid of whoever initdb made


def files(spec: PostgresSpec) -> dict[str, str]:
    """What the server of a primary needs for it."""
    return {"admit.sh": script(spec), "split.sql": split(spec)}


def script(spec: PostgresSpec) -> str:
    """Run over data that are there, before the server: refuses another password, and ends old superusers."""
    cause, fix = _other_password(spec)
    fix = fix.replace("$", "\\$")
    ask = (
        f"SELECT CASE WHEN EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = {_BOOTSTRAP} "  # noqa: S608
        f"AND 'role={spec.user}' = ANY (setconfig)) THEN 'half' "
        f"WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = '{spec.user}') "
        f"AND EXISTS (SELECT FROM pg_database WHERE datname = '{spec.database}') "
        f"THEN rolname ELSE '-' END FROM pg_roles WHERE oid = {_BOOTSTRAP}"
    )
    return f"""\
set -eu
refuse() {{ echo "{spec.data.name}: $1" >&2; echo "  fix: $2" >&2; exit {REFUSED}; }}
digest=$({digest()})
[ ! -e {DATA}/standby.signal ] || exit 0
[ -e {DATA}/{_TAKE} ] || [ "$(cat {DATA}/{CHECKED} 2>/dev/null)" != "$digest" ] || exit 0

# A server that only this script can reach.
here=/tmp/admit
mkdir -p -m 700 "$here"
cat > "$here/hba" <<'HBA'
local all      {SUPERUSER},berth_split trust
local template1 all trust
local all      all scram-sha-256
HBA
trap 'pg_ctl -D {DATA} -s -m fast -w -t 600 stop >/dev/null 2>&1 || true' EXIT
trap 'exit 143' INT TERM
# No server runs in this container yet. A crash left the process id of one that was in another, and here that
# may be this very script.
rm -f {DATA}/postmaster.pid
pg_ctl -D {DATA} -s -w -t 86400 -l "$here/log" -o "-c config_file={CONFIG}/postgresql.conf \\
-c hba_file=$here/hba -c listen_addresses= -c unix_socket_directories=$here" start \\
    || {{ cat "$here/log" >&2; exit 1; }}
export PGHOST="$here" PGOPTIONS='-c client_min_messages=warning'
as() {{ user=$1; shift; psql -qAtX -v ON_ERROR_STOP=1 -U "$user" "$@"; }}

ask="{ask}"
first=$(as {SUPERUSER} -d template1 -c "$ask" 2>/dev/null) \\
    || first=$(as {spec.user} -d template1 -c "$ask" 2>/dev/null) || first=-
case $first in
    {SUPERUSER} | {spec.user}) ;;
    half)
        refuse "the first start was cut off before its scripts had ended" \\
            'the data are what those made until then: empty the directory, then up again' ;;
    *) refuse "the data have no database '{spec.database}' with a role '{spec.user}'" \\
        'name an empty directory or the right one; after a first start that was cut off, empty it' ;;
esac
if [ ! -e {DATA}/{_TAKE} ]; then
    PGPASSWORD=$(cat {SECRETS}/{PASSWORD})
    export PGPASSWORD
    as {spec.user} -d {spec.database} -c 'SELECT 1' >/dev/null 2>"$here/said" \\
        || refuse "{cause}: $(tail -n 1 "$here/said")" \\
            "{fix}"
fi
if [ "$first" = {spec.user} ]; then
    echo '{spec.user} was the superuser of these data: it becomes a plain role, {SUPERUSER} the superuser'
    [ "$(as {spec.user} -d template1 -c "{CLASH}")" = 0 ] \\
        || refuse "the data have a role '{SUPERUSER}' that did not make them" \\
            'rename it with the version before: ALTER ROLE {SUPERUSER} RENAME TO ...'
    as {spec.user} -d template1 -c 'DROP ROLE IF EXISTS berth_split'
    as {spec.user} -d template1 -c 'CREATE ROLE berth_split SUPERUSER LOGIN'
    as berth_split -d {spec.database} --single-transaction -f {CONFIG}/split.sql
fi
as {SUPERUSER} -d {SUPERUSER} -f {CONFIG}/owner.sql
if [ -e {DATA}/{_TAKE} ]; then
    as {SUPERUSER} -d {SUPERUSER} -f {CONFIG}/password.sql
    rm -f {DATA}/{_TAKE}
fi
pg_ctl -D {DATA} -s -m fast -w -t 600 stop
trap - EXIT INT TERM
echo "$digest" > {DATA}/{CHECKED}
"""


def _other_password(spec: PostgresSpec) -> tuple[str, str]:
    """Cause and fix where the data were made with another password."""
    where = (
        getattr(spec.data.storage, "path", None)
        or f"$(docker volume inspect -f '{{{{.Mountpoint}}}}' {spec.data.name})"
    )
    return (
        f"the data were made with another password of '{spec.user}'",
        "set the password back, or keep the data and give them the new one, as root on the host: "
        f"touch {where}/{_TAKE}; then up again",
    )


def split(spec: PostgresSpec) -> str:
    """For older data, whose application was the superuser: a plain role takes over its name and all it owned.

    The superuser itself cannot become a plain role: the server's own objects are its own.
    """
    found = "\n        UNION ALL ".join(
        f"SELECT '{catalog}'::regclass AS class, oid, {kind} AS kind, {name} AS name\n"  # noqa: S608
        f"            FROM {catalog} AS o WHERE {owner} = {_BOOTSTRAP}{rest}"
        for catalog, kind, name, owner, rest in _OWNED
    )
    return f"""\
DO $split$
DECLARE
    item text;
    word text := (SELECT rolpassword FROM pg_authid WHERE oid = {_BOOTSTRAP});
BEGIN
    SET LOCAL search_path = pg_catalog;
    ALTER ROLE {spec.user} RENAME TO {SUPERUSER};
    EXECUTE format('CREATE ROLE {spec.user} LOGIN PASSWORD %L', word);
    ALTER ROLE {SUPERUSER} PASSWORD NULL;
    UPDATE pg_db_role_setting SET setrole = '{spec.user}'::regrole WHERE setrole = {_BOOTSTRAP};
    FOR item IN
        SELECT format('GRANT %s TO {spec.user}', roleid::regrole)
            FROM pg_auth_members WHERE member = {_BOOTSTRAP}
        UNION ALL SELECT format('GRANT {spec.user} TO %s', member::regrole)
            FROM pg_auth_members WHERE roleid = {_BOOTSTRAP}
        UNION ALL SELECT format('REVOKE {SUPERUSER} FROM %s', member::regrole)
            FROM pg_auth_members WHERE roleid = {_BOOTSTRAP}
    LOOP
        EXECUTE item;
    END LOOP;
    FOR item IN
        SELECT format('ALTER %s %s OWNER TO {spec.user}', kind, name) FROM (
        {found}
        ) AS found
        WHERE (oid >= 16384 OR name = 'public' OR kind = 'LARGE OBJECT') AND NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = class AND objid = found.oid
                AND (deptype = 'e' OR kind = 'SEQUENCE' AND deptype IN ('a', 'i'))
        )
    LOOP
        EXECUTE item;
    END LOOP;
END $split$;
"""  # noqa: S608  (identifiers, checked)


_OWNED = (
    ("pg_namespace", "'SCHEMA'", "quote_ident(nspname)", "nspowner", " AND nspname !~ '^pg_'"),
    (
        "pg_class",
        "CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'"
        " WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END",
        "oid::regclass::text",
        "relowner",
        " AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'",
    ),
    ("pg_proc", "'ROUTINE'", "oid::regprocedure::text", "proowner", ""),
    (
        "pg_type",
        "'TYPE'",
        "oid::regtype::text",
        "typowner",
        " AND typtype IN ('c', 'd', 'e', 'r')"
        " AND (typrelid = 0 OR EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c'))",
    ),
    ("pg_largeobject_metadata", "'LARGE OBJECT'", "oid::text", "lomowner", ""),
)
"""Catalog, kind and name for ALTER, the column of the owner, what else must hold."""
