#!/bin/sh
# docker-entrypoint.sh [mysqld ARGS | COMMAND]: makes the database at the first start, then runs the server.
#
# The new database grows in DATADIR/incoming, behind a server that listens on no network. Its folder `mysql` is moved
# last: what an interruption leaves has none, and the next start begins again.
set -eu

fail() { echo "mysql: $1" >&2; echo "  fix: $2" >&2; exit 1; }

case ${1:-} in -*) set -- mysqld "$@" ;; esac
[ "${1:-}" = mysqld ] || exec "$@"

for variable in $(env | sed -n 's/^\(MYSQL_[A-Z0-9_]*\)=.*/\1/p'); do
    case ${variable%_FILE} in
        MYSQL_ROOT_PASSWORD | MYSQL_ROOT_HOST | MYSQL_DATABASE | MYSQL_USER | MYSQL_PASSWORD) ;;
        MYSQL_INITDB_SKIP_TZINFO) ;;
        *) fail "$variable is not known to this image" \
            'remove it; known: MYSQL_ROOT_PASSWORD, _ROOT_HOST, _DATABASE, _USER, _PASSWORD (each also with _FILE)' ;;
    esac
done

final=$("$@" --verbose --help 2>/dev/null | awk '$1 == "datadir" { print $2; exit }')
final=${final%/}
[ -n "$final" ] || { "$@" --verbose --help >/dev/null; fail 'the settings cannot be read' 'correct them'; }
[ ! -d "$final/mysql" ] || exec "$@"

# value NAME DEFAULT: the variable, or what the file holds that NAME_FILE names.
value() {
    eval "plain=\${$1:-} file=\${$1_FILE:-}"
    [ -z "$plain" ] || [ -z "$file" ] || fail "both $1 and $1_FILE are set" 'set one of them'
    if [ -n "$file" ]; then cat "$file"; else printf '%s\n' "${plain:-$2}"; fi
}
root=$(value MYSQL_ROOT_PASSWORD '')
root_host=$(value MYSQL_ROOT_HOST '%')
MYSQL_DATABASE=$(value MYSQL_DATABASE '')
user=$(value MYSQL_USER '')
password=$(value MYSQL_PASSWORD '')
[ -n "$root" ] || fail 'no root password for a new database' 'set MYSQL_ROOT_PASSWORD_FILE'
[ "$user" != root ] || fail 'MYSQL_USER is root, who is there already' 'choose another name'
[ -z "$user" ] || [ -n "$password" ] || fail "no password for $user" 'set MYSQL_PASSWORD_FILE'
unset MYSQL_ROOT_PASSWORD MYSQL_ROOT_PASSWORD_FILE MYSQL_PASSWORD MYSQL_PASSWORD_FILE

[ "$(stat -c %u "$final")" = "$(id -u)" ] \
    || fail "$final belongs to user $(stat -c %u "$final"), the server is $(id -u)" "chown it to $(id -u):$(id -g)"
left=$(find "$final" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name incoming | head -n 1)
if [ -e "$final/.moving" ]; then
    find "$final" -mindepth 1 ! -name lost+found -delete
elif [ -n "$left" ]; then
    fail "$left: neither a database nor empty" 'name an empty directory, or look at what is in it'
fi
data=$final/incoming
rm -rf "$data"
mkdir -m 750 "$data"

echo 'mysql: making a new database'
shift
defaults=
case ${1:-} in --defaults-file=* | --defaults-extra-file=*) defaults=$1; shift ;; esac
mariadb-install-db ${defaults:+"$defaults"} --datadir="$data" --auth-root-authentication-method=normal \
    --skip-test-db --skip-name-resolve >/tmp/install.log 2>&1 \
    || { cat /tmp/install.log >&2; fail 'the database cannot be made' 'look at the lines above'; }

socket=/var/run/mysqld/mysqld.sock
mysqld ${defaults:+"$defaults"} "$@" --datadir="$data" --skip-networking --socket="$socket" &
server=$!
trap 'kill -9 "$server" 2>/dev/null || true' EXIT
trap 'exit 143' INT TERM
tries=0
until mysqladmin --no-defaults --socket="$socket" -u root ping >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || fail 'the new server ended' 'look at the lines above'
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail 'the new server does not answer' 'look at the lines above'
    sleep 0.1
done

quoted() { printf %s "$1" | sed "s/['\\\\]/\\\\&/g"; }
sql() { mysql --no-defaults --socket="$socket" -u root ${MYSQL_DATABASE:+"--database=$MYSQL_DATABASE"} "$@"; }
MYSQL_DATABASE='' sql <<SQL
SET SESSION sql_log_bin = 0;
DELETE FROM mysql.global_priv WHERE User != 'mariadb.sys' AND NOT (User = 'root' AND Host = 'localhost');
DELETE FROM mysql.proxies_priv WHERE Host != 'localhost';
FLUSH PRIVILEGES;
ALTER USER root@localhost IDENTIFIED BY '$(quoted "$root")';
$([ "$root_host" = localhost ] || cat <<REMOTE
CREATE USER 'root'@'$(quoted "$root_host")' IDENTIFIED BY '$(quoted "$root")';
GRANT ALL ON *.* TO 'root'@'$(quoted "$root_host")' WITH GRANT OPTION;
REMOTE
)
SQL
export MYSQL_PWD="$root" MYSQL_DATABASE
if [ -n "$MYSQL_DATABASE" ]; then
    echo "CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;" | MYSQL_DATABASE='' sql
fi
if [ -n "$user" ]; then
    # In a grant an underscore stands for any character.
    database=$(printf %s "$MYSQL_DATABASE" | sed 's/_/\\_/g')
    sql <<SQL
CREATE USER '$(quoted "$user")'@'%' IDENTIFIED BY '$(quoted "$password")';
${database:+GRANT ALL ON \`$database\`.* TO '$(quoted "$user")'@'%';}
SQL
fi
for script in /docker-entrypoint-initdb.d/*; do
    case $script in
        *.sh)
            echo "mysql: $script"
            # shellcheck disable=SC1090
            if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
        *.sql) echo "mysql: $script"; sql < "$script" ;;
        *.sql.gz) echo "mysql: $script"; gunzip -c "$script" | sql ;;
        *'*') ;;
        *) echo "mysql: $script is passed over" ;;
    esac
done
mysqladmin --no-defaults --socket="$socket" -u root shutdown
wait "$server" || fail 'the new server did not end well' 'look at the lines above'
trap - EXIT INT TERM

touch "$final/.moving"
find "$data" -mindepth 1 -maxdepth 1 ! -name mysql -exec mv {} "$final/" \;
sync
mv "$data/mysql" "$final/"
rm "$final/.moving"
rmdir "$data"
unset MYSQL_PWD MYSQL_DATABASE
echo 'mysql: the new database is made'
exec mysqld ${defaults:+"$defaults"} "$@"
