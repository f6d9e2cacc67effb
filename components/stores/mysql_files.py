"""The texts around a MySQL server. Each also holds for MariaDB, which answers to the same names.

What only one of the two knows is written `loose_`: the other passes over it.
"""

from __future__ import annotations

from components.stores.store import AUTHORITY, CERTIFICATE, CONFIG
from components.stores.tuning import MysqlTuning

RUN = "/var/run/mysqld"
DATA = "/var/lib/mysql"
REPLICATOR = "replicator"
ROOT_PASSWORD, PASSWORD, REPLICATION_PASSWORD = "root_password", "password", "replication_password"
_SECRETS = "/run/secrets"
_SOCKET = f"{RUN}/mysqld.sock"
_CLIENT = f"--defaults-file={CONFIG}/client.cnf"


def settings(tuning: MysqlTuning, *, server_id: int = 1) -> str:
    """my.cnf. The primary is server 1; any other only reads."""
    return f"""\
[mysqld]
datadir = {DATA}
socket = {_SOCKET}
pid_file = {RUN}/mysqld.pid
port = 3306
bind_address = *
skip_name_resolve = ON
loose_mysqlx = OFF

require_secure_transport = ON
ssl_cert = {_SECRETS}/{CERTIFICATE}
ssl_key = {_SECRETS}/{CERTIFICATE}
tls_version = TLSv1.2,TLSv1.3

character_set_server = utf8mb4
default_time_zone = +00:00
innodb_buffer_pool_size = {tuning.buffer_pool.written()}
max_connections = {tuning.max_connections}
max_allowed_packet = {tuning.max_packet.written()}
wait_timeout = {tuning.idle.whole_seconds}

server_id = {server_id}
log_bin = binlog
binlog_format = ROW
binlog_expire_logs_seconds = {tuning.binlog.whole_seconds}
loose_gtid_mode = ON
loose_enforce_gtid_consistency = ON
loose_gtid_strict_mode = ON
relay_log = relay
read_only = {"OFF" if server_id == 1 else "ON"}

[client]
socket = {_SOCKET}
"""


def client() -> str:
    """client.cnf: TLS that checks the server's certificate, in the words of both clients."""
    return f"""\
[client]
ssl-ca = {CONFIG}/{AUTHORITY}
loose-ssl = ON
loose-ssl-mode = VERIFY_CA
loose-connect-timeout = 5
"""


def probe() -> str:
    """Logs in as root over TLS and asks a question."""
    return f"""\
{_login()}
mysql {_CLIENT} -h 127.0.0.1 -u root -N -e 'SELECT 1' >/dev/null
"""


def replica_probe() -> str:
    """Logs in over TLS; both of the replica's threads must be at work."""
    return f"""\
{_login()}
answer=$(mysql {_CLIENT} -h 127.0.0.1 -u root -e 'SHOW SLAVE STATUS\\G') || exit 1
[ "$(echo "$answer" | grep -cE '^ *Slave_(IO|SQL)_Running: Yes$')" = 2 ] \\
    || {{ echo "$answer" | grep -E '_Running:|_Error:'; exit 1; }}
"""


def guard(preamble: str, running: str = "") -> str:
    """Refuses data of the other server; `running` is what to ask of the one that runs."""
    return f"""{preamble}
case $(mysqld --version) in
    *MariaDB*)
        [ ! -e "$data/mysql.ibd" ] || refuse 'the data are of MySQL, the image is MariaDB' \\
            'use an image of MySQL, or move the data with mysqldump' ;;
    *)
        [ ! -e "$data/aria_log_control" ] || refuse 'the data are of MariaDB, the image is MySQL' \\
            'use an image of MariaDB, or move the data with mysqldump' ;;
esac
{running}"""


def same_passwords(alias: str, user: str) -> str:
    """The part of a guard that refuses a password which the running server would not take."""
    return f"""
lets_in() {{
    MYSQL_PWD=$(cat {_SECRETS}/$2) \\
        mysql {_CLIENT} -h {alias} -u "$1" -N -e 'SELECT 1' >/dev/null 2>/tmp/said \\
        || refuse "the running server does not let $1 in: $(grep -i error /tmp/said | tail -n 1)" \\
            "set the $2 back, or first change it in the server (ALTER USER, each host of $1)"
}}
{_login()}
if mysqladmin {_CLIENT} -h {alias} -u root ping >/dev/null 2>&1; then
    lets_in root {ROOT_PASSWORD}
    lets_in {user} {PASSWORD}
fi
"""


def allow_replica(primary: str) -> str:
    """A job's script, run as often as anybody likes: the user that replicas log in as, and its password."""
    account = f"'{REPLICATOR}'@'%'"
    return f"""\
set -eu
{_login()}
{_quoted_word()}
mysql {_CLIENT} -h {primary} -u root <<SQL
CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '$word' REQUIRE SSL;
ALTER USER {account} IDENTIFIED BY '$word' REQUIRE SSL;
GRANT REPLICATION SLAVE ON *.* TO {account};
SQL
"""


def copy_primary(primary: str) -> str:
    """The init script of a replica: takes all that the primary has and goes on from there."""
    dump = (
        f"mysqldump {_CLIENT} -h {primary} -u root --all-databases --single-transaction --routines --events"
    )
    change = f"HOST='{primary}', {{0}}_PORT=3306, {{0}}_USER='{REPLICATOR}', {{0}}_PASSWORD='$word'"
    change += f", {{0}}_SSL=1, {{0}}_SSL_CA='{CONFIG}/{AUTHORITY}', {{0}}_SSL_VERIFY_SERVER_CERT=1"
    return f"""\
(
{_login()}
{_quoted_word()}
here() {{ mysql --no-defaults --socket={_SOCKET} -u root "$@"; }}
copy=$(here -N -e 'SELECT @@datadir')copy.sql
here -e 'RESET MASTER'
case $(mysqld --version) in
    *MariaDB*)
        {dump} --gtid --master-data=1 > "$copy"
        here --init-command='SET SESSION sql_log_bin = 0' < "$copy"
        here <<SQL
CHANGE MASTER TO MASTER_{change.format("MASTER")}, MASTER_USE_GTID=slave_pos;
SQL
        ;;
    *)
        {dump} --set-gtid-purged=ON > "$copy"
        here < "$copy"
        here <<SQL
CHANGE REPLICATION SOURCE TO SOURCE_{change.format("SOURCE")}, SOURCE_AUTO_POSITION=1;
SQL
        ;;
esac
rm "$copy"
here -e 'FLUSH PRIVILEGES'
)
"""


def _login() -> str:
    return f"MYSQL_PWD=$(cat {_SECRETS}/{ROOT_PASSWORD}) || exit 1\nexport MYSQL_PWD"


def _quoted_word() -> str:
    return f"""\
word=$(cat {_SECRETS}/{REPLICATION_PASSWORD})
[ "${{#word}}" -le 32 ] \\
    || {{ echo 'replication_password: MySQL takes at most 32 characters here' >&2; exit 1; }}
word=$(printf %s "$word" | sed "s/[\\\\\\\\']/\\\\\\\\&/g")"""
