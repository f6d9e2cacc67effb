"""Data whose application was the superuser, as older versions made them."""

from __future__ import annotations

import pytest

from components.base import Identity
from offline.docker.volume import ADOPT
from tests.docker.workloads import until
from tests.engine.stores import StoreBench, psql

pytestmark = pytest.mark.engine

DATA = "/var/lib/postgresql/data"
FILLED = """
CREATE TABLE made (id serial PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, word text);
INSERT INTO made (word) VALUES ('kept');
CREATE SCHEMA "odd Schema"; CREATE TABLE "odd Schema"."odd Table" (a int);
CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TYPE pair AS (a int, b int); CREATE TYPE span AS RANGE (subtype = int);
CREATE VIEW seen AS SELECT * FROM made;
CREATE MATERIALIZED VIEW fixed AS SELECT 1 AS a; CREATE SEQUENCE alone;
CREATE TABLE parts (a int) PARTITION BY RANGE (a);
CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9);
CREATE FUNCTION same(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int);
CREATE EXTENSION pg_trgm; SELECT lo_create(4711);
CREATE ROLE reader; CREATE ROLE readers; GRANT owner TO reader; GRANT readers TO owner;
GRANT SELECT ON made TO reader; ALTER ROLE owner SET work_mem = '5MB';
"""
OWNED = """
DROP VIEW seen; DROP MATERIALIZED VIEW fixed; DROP TABLE parts; DROP SEQUENCE alone;
ALTER TABLE made ADD COLUMN more int; INSERT INTO made (word) VALUES ('more');
DROP SCHEMA "odd Schema" CASCADE; ALTER TYPE mood ADD VALUE 'bad'; DROP DOMAIN positive; DROP TYPE pair;
DROP FUNCTION same; DROP PROCEDURE nothing; DROP AGGREGATE total(int); SELECT lo_unlink(4711);
CREATE TABLE another (a int)
"""


def test_a_superuser_of_older_data_becomes_a_plain_owner(bench: StoreBench) -> None:
    volume = bench.volume("postgres")
    labels = Identity(stack="dev", system=bench.name, service="postgres").labels()
    bench.client.volumes.create(volume, labels=labels)
    old = bench.client.containers.run(
        bench.images["postgres"],
        detach=True,
        environment={
            "POSTGRES_USER": "owner",
            "POSTGRES_DB": "things",
            "POSTGRES_PASSWORD": bench.wanted["secrets"]["password"],
        },
        volumes={volume: {"bind": DATA, "mode": "rw"}},
        labels=labels,
    )
    login = ["psql", "-qX", "-h", "127.0.0.1", "-U", "owner", "-d", "things", "-v", "ON_ERROR_STOP=1", "-c"]
    word = {"PGPASSWORD": bench.wanted["secrets"]["password"]}
    until("it", lambda: old.exec_run([*login, "SELECT 1"], environment=word).exit_code == 0 or None, 120)
    filled = old.exec_run([*login, FILLED], environment=word)
    assert filled.exit_code == 0, filled.output
    old.kill()  # what a crash leaves
    old.remove()
    bench.project.env[ADOPT] = volume
    bench.want("postgres")
    bench.up()
    bench.project.unchanged()
    ask = f'{psql()} "%s"'
    attributes = "SELECT rolsuper, rolreplication FROM pg_roles WHERE rolname = current_user"
    assert bench.client_run("postgres", ask % attributes) == (0, "f|f\n")
    assert bench.client_run("postgres", ask % "SELECT word FROM made; SHOW work_mem") == (0, "kept\n5MB\n")
    code, said = bench.client_run("postgres", ask % "COPY made FROM PROGRAM 'echo 1'")
    assert code and "must be superuser or have privileges of the pg_execute_server_program role" in said
    inside = ["psql", "-qAtX", "-U", "postgres", "-d", "things", "-v", "ON_ERROR_STOP=1", "-c"]
    server = bench.container("postgres")
    roles = "SELECT pg_has_role('reader', 'postgres', 'member'), pg_has_role('reader', 'owner', 'member')"
    roles += ", pg_has_role('owner', 'readers', 'member'), to_regrole('berth_split') IS NULL"
    assert server.exec_run([*inside, roles]).output == b"f|t|t|t\n"
    owned = server.exec_run([*inside, "SET SESSION AUTHORIZATION owner; " + OWNED])
    assert owned.exit_code == 0, owned.output
    bench.want("postgres", tuning={"max_connections": 50})
    bench.up()
    assert bench.client_run("postgres", ask % "SELECT count(*) FROM made") == (0, "2\n")
    assert b"was the superuser" not in bench.container("postgres").logs(), "once"
