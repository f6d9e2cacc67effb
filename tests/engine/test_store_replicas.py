"""Replicas on a real engine: they copy what is there, follow, refuse writes, and go on after a restart."""

from __future__ import annotations

import pytest

from tests.docker.workloads import until
from tests.engine.stores import StoreBench, mysql, psql

pytestmark = pytest.mark.engine


def test_a_replica_of_postgres_follows(bench: StoreBench) -> None:
    bench.want("postgres", tuning={"log_slower_than": "1ms"})
    bench.up()
    write = "CREATE TABLE counted AS SELECT generate_series(1, 1000) AS n"
    assert bench.client_run("postgres", f'{psql()} "{write}"')[0] == 0
    before = bench.container("postgres").id
    bench.want("postgres-replica")
    bench.up()
    bench.project.unchanged()
    assert bench.container("postgres").id == before, "a replica joins without a pause"
    assert bench.wanted["secrets"]["replication_password"] not in bench.container("postgres").logs().decode()
    here = psql(host="postgres-replica")
    count = f"{here} 'SELECT count(*) FROM counted'"
    assert bench.client_run("postgres", count) == (0, "1000\n")
    assert bench.client_run("postgres", f"{psql()} 'INSERT INTO counted VALUES (0)'")[0] == 0
    until("the row", lambda: bench.client_run("postgres", count) == (0, "1001\n") or None)
    code, said = bench.client_run("postgres", f"{here} 'INSERT INTO counted VALUES (0)'")
    assert code and "read-only" in said
    bench.container("postgres-replica").restart(timeout=30)
    assert bench.client_run("postgres", f"{psql()} 'INSERT INTO counted VALUES (0)'")[0] == 0
    until("it to go on", lambda: bench.client_run("postgres", count) == (0, "1002\n") or None)


def test_a_replica_of_mysql_follows(bench: StoreBench) -> None:
    bench.want("mysql", init=[{"name": "10.sql", "text": "CREATE TABLE counted AS SELECT 1 AS n;"}])
    bench.up()
    before = bench.container("mysql").id
    bench.want("mysql-replica")
    bench.up()
    bench.project.unchanged()
    assert bench.container("mysql").id == before, "a replica joins without a pause"
    here = mysql(host="mysql-replica")
    count = f"{here} -e 'SELECT count(*) FROM counted'"
    assert bench.client_run("mysql", count) == (0, "1\n")
    assert bench.client_run("mysql", f"{mysql()} -e 'INSERT INTO counted VALUES (2)'")[0] == 0
    until("the row", lambda: bench.client_run("mysql", count) == (0, "2\n") or None)
    code, said = bench.client_run("mysql", f"{here} -e 'INSERT INTO counted VALUES (3)'")
    assert code and "read-only" in said
    bench.container("mysql-replica").restart(timeout=30)
    assert bench.client_run("mysql", f"{mysql()} -e 'INSERT INTO counted VALUES (4)'")[0] == 0
    until("it to go on", lambda: bench.client_run("mysql", count) == (0, "3\n") or None)
