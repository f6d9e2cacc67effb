#!/bin/sh
# docker-entrypoint.sh [postgres ARGS | COMMAND]: makes the database at the first start, then runs the server.
#
# The new database grows in $PGDATA/incoming, behind a server that listens on no network. Its PG_VERSION is moved
# last: what an interruption leaves has none, and the next start begins again.
set -eu

fail() { echo "postgres: $1" >&2; echo "  fix: $2" >&2; exit 1; }

case ${1:-} in -*) set -- postgres "$@" ;; esac
[ "${1:-}" = postgres ] || exec "$@"

for variable in $(env | sed -n 's/^\(POSTGRES_[A-Z0-9_]*\)=.*/\1/p'); do
    case $variable in
        POSTGRES_USER | POSTGRES_DB | POSTGRES_PASSWORD | POSTGRES_INITDB_ARGS) ;;
        POSTGRES_USER_FILE | POSTGRES_DB_FILE | POSTGRES_PASSWORD_FILE) ;;
        *) fail "$variable is not known to this image" \
            'remove it; known: POSTGRES_USER, _DB, _PASSWORD (each also with _FILE) and POSTGRES_INITDB_ARGS' ;;
    esac
done
[ ! -s "$PGDATA/PG_VERSION" ] || exec "$@"

# value NAME DEFAULT: the variable, or what the file holds that NAME_FILE names.
value() {
    eval "plain=\${$1:-} file=\${$1_FILE:-}"
    [ -z "$plain" ] || [ -z "$file" ] || fail "both $1 and $1_FILE are set" 'set one of them'
    if [ -n "$file" ]; then cat "$file"; else printf '%s\n' "${plain:-$2}"; fi
}
user=$(value POSTGRES_USER postgres)
database=$(value POSTGRES_DB "$user")
PGPASSWORD=$(value POSTGRES_PASSWORD '')
[ -n "$PGPASSWORD" ] || fail 'no password for a new database' 'set POSTGRES_PASSWORD_FILE'
export PGPASSWORD POSTGRES_USER="$user" POSTGRES_DB="$database"
unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE POSTGRES_USER_FILE POSTGRES_DB_FILE

final=$PGDATA
[ "$(stat -c %u "$final")" = "$(id -u)" ] \
    || fail "$final belongs to user $(stat -c %u "$final"), the server is $(id -u)" "chown it to $(id -u):$(id -g)"
left=$(find "$final" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name incoming ! -name '.moving' | head -n 1)
if [ -e "$final/.moving" ]; then
    find "$final" -mindepth 1 ! -name lost+found -delete
elif [ -n "$left" ]; then
    fail "$left: neither a database nor empty" 'name an empty directory, or look at what is in it'
fi
rm -rf "$final/incoming"
chmod 700 "$final" 2>/dev/null || true
export PGDATA="$final/incoming"

echo 'postgres: making a new database'
# A file, because no password may stand on a command line.
(umask 077 && printf '%s\n' "$PGPASSWORD" > /tmp/pwfile)
# shellcheck disable=SC2086  (words are meant)
initdb -D "$PGDATA" --username="$user" --pwfile=/tmp/pwfile ${POSTGRES_INITDB_ARGS:---auth=scram-sha-256} >/dev/null
rm /tmp/pwfile
echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"

socket=/tmp/init
mkdir -p -m 700 "$socket"
export PGHOST="$socket" PGUSER="$user"
shift
options="-c listen_addresses= -c unix_socket_directories=$socket -c logging_collector=off"
for word; do options="$options '$word'"; done
pg_ctl -D "$PGDATA" -o "$options" -s -w start
trap 'pg_ctl -D "$PGDATA" -s -m immediate stop || true' EXIT
trap 'exit 143' INT TERM

sql() { psql -v ON_ERROR_STOP=1 --no-psqlrc -q "$@"; }
if [ "$database" != postgres ]; then
    echo 'CREATE DATABASE :"db";' | sql -d postgres -v db="$database"
fi
export PGDATABASE="$database"
for script in /docker-entrypoint-initdb.d/*; do
    case $script in
        *.sh)
            echo "postgres: $script"
            # shellcheck disable=SC1090
            if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
        *.sql) echo "postgres: $script"; sql -f "$script" ;;
        *.sql.gz) echo "postgres: $script"; gunzip -c "$script" | sql ;;
        *'*') ;;
        *) echo "postgres: $script is passed over" ;;
    esac
done
trap - EXIT INT TERM
pg_ctl -D "$PGDATA" -s -m fast -w stop

touch "$final/.moving"
find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv {} "$final/" \;
sync
mv "$PGDATA/PG_VERSION" "$final/"
rm "$final/.moving"
rmdir "$PGDATA"
export PGDATA="$final"
unset PGHOST PGUSER PGDATABASE PGPASSWORD
echo 'postgres: the new database is made'
exec postgres "$@"
