"""Stores on a real engine: made, used over TLS, replaced, taken down and up again, and guarded."""

from __future__ import annotations

import pytest

from tests.engine.stores import StoreBench, mysql, psql

pytestmark = pytest.mark.engine


def test_redis_keeps_its_data_and_its_users_to_their_rules(bench: StoreBench) -> None:
    bench.secret("reader_password", "a reader's word")
    bench.want("redis", users=[{"name": "reader", "rules": "~open:* +get"}])
    bench.up()
    bench.project.unchanged()
    ask = "export REDISCLI_AUTH=$(cat /secrets/%s); redis-cli -h redis %s"
    assert bench.client_run("redis", ask % ("password", "set open:a kept")) == (0, "OK\n")
    assert "WRONGPASS" in bench.client_run("redis", ask % ("root_password", "get open:a"))[1]
    assert "NOAUTH" in bench.client_run("redis", "redis-cli -h redis get open:a")[1]
    reader = ask % ("reader_password", "--user reader %s")
    assert bench.client_run("redis", reader % "get open:a")[1].endswith("kept\n")
    assert "NOPERM" in bench.client_run("redis", reader % "set open:a changed")[1]
    assert "NOPERM" in bench.client_run("redis", reader % "get closed")[1]
    before = bench.container("redis").id
    bench.want("redis", maxmemory="64MiB")
    bench.up()
    assert bench.container("redis").id != before
    assert bench.client_run("redis", ask % ("password", "get open:a")) == (0, "kept\n")
    assert bench.client_run("redis", ask % ("password", "config get maxmemory"))[1].split()[1] == "67108864"


def test_postgres_serves_over_tls_and_keeps_its_data(bench: StoreBench) -> None:
    script = {"name": "10-made.sql", "text": "CREATE TABLE made AS SELECT now() AS at;"}
    bench.want(
        "postgres",
        init=[script, {"name": "20-more.sh", "text": "echo 'INSERT INTO made VALUES (now());' | psql -q"}],
    )
    bench.up()
    bench.project.unchanged()
    code, version = bench.client_run(
        "postgres", f"{psql()} 'SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'"
    )
    assert (code, version) == (0, "TLSv1.3\n")
    code, said = bench.client_run("postgres", f"{psql('disable')} 'SELECT 1'")
    assert code and "no encryption" in said
    code, said = bench.client_run("postgres", f"{psql(word='root_password')} 'SELECT 1'")
    assert code and "password authentication failed" in said
    assert bench.client_run("postgres", f"{psql()} 'SHOW password_encryption; SHOW shared_buffers'")[1] == (
        "scram-sha-256\n128MB\n"
    )
    made = bench.client_run("postgres", f"{psql()} 'SELECT count(*), max(at) FROM made'")[1]
    assert made.startswith("2|")
    before = bench.container("postgres").id
    bench.want("postgres", tuning={"shared_buffers": "96MiB"})
    bench.up()
    assert bench.container("postgres").id != before
    assert bench.client_run(
        "postgres", f"{psql()} 'SHOW shared_buffers; SELECT count(*), max(at) FROM made'"
    )[1] == (f"96MB\n{made}")
    bench.down()
    bench.up()
    assert bench.client_run("postgres", f"{psql()} 'SELECT count(*), max(at) FROM made'")[1] == made
    hidden(bench, "postgres")


def test_the_owner_of_a_postgres_database_is_a_plain_role(bench: StoreBench) -> None:
    """What an injection into the application's SQL reaches: its own database."""
    asked = "SET ROLE NONE; CREATE EXTENSION pg_trgm; CREATE TABLE theirs AS SELECT current_user AS who;"
    bench.want("postgres", init=[{"name": "10-extension.sql", "text": asked}])
    bench.up()
    ask = f'{psql()} "%s"'
    attributes = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
    mine = f"SELECT {attributes} FROM pg_roles WHERE rolname = current_user; SELECT pg_get_userbyid(datdba)"
    mine += " FROM pg_database WHERE datname = current_database(); CREATE TABLE mine (a int)"
    assert bench.client_run("postgres", ask % mine) == (0, "f\nowner\n")
    for statement in (
        "COPY mine FROM PROGRAM 'echo 1'",
        "COPY mine FROM '/run/secrets/password'",
        "SELECT pg_read_file('/run/secrets/certificate.pem')",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "CREATE ROLE other SUPERUSER",
        "ALTER ROLE owner SUPERUSER",
        "ALTER ROLE postgres PASSWORD 'x'",
        "CREATE DATABASE other",
        "SELECT * FROM theirs",
        "CREATE EXTENSION adminpack",
    ):
        code, said = bench.client_run("postgres", ask % statement)
        assert code and ("permission denied" in said or "must be superuser" in said), (statement, said)
    code, said = bench.client_run("postgres", (ask % "SELECT 1").replace("user=owner", "user=postgres"))
    assert code and "pg_hba.conf rejects connection" in said
    there = ask.replace("dbname=things", "dbname=postgres")
    for proof in ("NULL", "''", "repeat('0', 64)"):
        let_in = f"SELECT berth.allow_replica({proof}, 'my own', 'slot')"
        code, said = bench.client_run("postgres", there % let_in)
        assert code and "that is no proof of the server's private key" in said, said
    mine = "CREATE FUNCTION berth.allow_replica(text, text, text) RETURNS int LANGUAGE sql AS 'SELECT 1'"
    code, said = bench.client_run("postgres", there % mine)
    assert code and "permission denied for schema berth" in said
    seen = "SELECT count(*) FROM pg_roles WHERE rolname = 'replicator'"
    assert bench.client_run("postgres", ask % seen) == (0, "0\n")
    inside = ["psql", "-qAtX", "-U", "postgres", "-d", "things", "-c"]
    shown = "SELECT current_user, who, (SELECT rolpassword IS NULL FROM pg_authid WHERE oid = 10) FROM theirs"
    assert bench.container("postgres").exec_run([*inside, shown]).output == b"postgres|postgres|t\n"
    hidden(bench, "postgres")


def hidden(bench: StoreBench, role: str) -> None:
    """No secret shows where people look."""
    server = bench.container(role)
    everything = repr(server.attrs) + server.logs().decode() + repr(server.top()) + bench.project.state_text()
    for secret in bench.wanted["secrets"].values():
        assert secret not in everything
    assert "PRIVATE KEY" not in everything


def test_mysql_serves_over_tls_and_keeps_its_data(bench: StoreBench) -> None:
    script = {"name": "10-made.sql", "text": "CREATE TABLE made AS SELECT now(6) AS at;"}
    bench.want("mysql", init=[script])
    bench.up()
    bench.project.unchanged()
    ask = f"{mysql()} -e"
    code, cipher = bench.client_run("mysql", f"{ask} \"SHOW STATUS LIKE 'Ssl_version'\"")
    assert code == 0 and "TLSv1.3" in cipher
    code, said = bench.client_run("mysql", f"{mysql(tls='--skip-ssl')} -e 'SELECT 1'")
    # MySQL says why; MariaDB says no more than this.
    assert code and ("require_secure_transport" in said or "Access denied" in said)
    code, said = bench.client_run("mysql", f"{mysql(word='root_password')} -e 'SELECT 1'")
    assert code and "Access denied" in said
    made = bench.client_run("mysql", f"{ask} 'SELECT count(*), max(at) FROM made'")[1]
    assert made.startswith("1\t")
    before = bench.container("mysql").id
    bench.want("mysql", tuning={"buffer_pool": "128MiB"})
    bench.up()
    assert bench.container("mysql").id != before
    assert bench.client_run(
        "mysql", f"{ask} 'SELECT @@innodb_buffer_pool_size; SELECT count(*), max(at) FROM made'"
    ) == (
        0,
        f"134217728\n{made}",
    )
    bench.down()
    bench.up()
    assert bench.client_run("mysql", f"{ask} 'SELECT count(*), max(at) FROM made'")[1] == made
    hidden(bench, "mysql")
