"""What stores write into their servers' files, and the arithmetic of their memory."""

from __future__ import annotations

import hashlib
import re
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from components.base import Identity
from components.stores import mysql, postgres, redis
from components.stores.mysql_settings import MysqlReplicaSpec, MysqlSpec
from components.stores.postgres_settings import PostgresReplicaSpec, PostgresSpec
from components.stores.redis import RedisSpec, RedisUser, users_acl
from components.stores.sizes import Size, written
from components.stores.store import Recipe
from components.stores.tuning import MysqlTuning, PostgresTuning, RedisTuning
from components.units import Memory

COMMON: dict[str, Any] = {
    "identity": Identity(stack="dev", system="test", service="store"),
    "data": {"name": "store-data"},
}
CA = "-----BEGIN CERTIFICATE-----\n"
INIT = ({"name": "10-tables.sql", "text": "CREATE TABLE t (a int);"},)


def recipes() -> dict[str, Recipe]:
    things = PostgresSpec(**COMMON, alias="postgres", user="owner", database="things", init=INIT)
    mine = MysqlSpec(**COMMON, alias="mysql", user="owner", database="things", init=INIT)
    reader = {"name": "reader", "rules": "~open:* +get"}
    return {
        "postgres": postgres.primary(things, CA),
        "postgres-replica": postgres.replica(PostgresReplicaSpec(**COMMON, alias="second"), things, CA),
        "mysql": mysql.primary(mine, CA),
        "mysql-replica": mysql.replica(MysqlReplicaSpec(**COMMON, alias="second"), "mysql", CA),
        "redis": redis.redis(RedisSpec(**COMMON, alias="redis", users=(reader,))),
    }


@pytest.mark.parametrize("role", ["postgres", "postgres-replica", "mysql", "mysql-replica", "redis"])
def test_texts_are_as_reviewed(role: str, snapshot: SnapshotAssertion) -> None:
    recipe = recipes()[role]
    scripts = {"probe.sh": recipe.probe, "guard.sh": recipe.guard}
    texts = {**recipe.files, **scripts, **{f"init/{item.name}": item.text for item in recipe.init}}
    assert "\n".join(f"==> {name}\n{text}" for name, text in sorted(texts.items())) == snapshot


@pytest.mark.parametrize("role", ["postgres", "postgres-replica", "mysql", "mysql-replica", "redis"])
def test_every_script_is_one_for_a_plain_shell(role: str) -> None:
    recipe = recipes()[role]
    scripts = [
        recipe.probe,
        recipe.guard,
        *(text for name, text in recipe.files.items() if name.endswith(".sh")),
    ]
    for script in [*scripts, *(item.text for item in recipe.init if item.name.endswith(".sh"))]:
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


sizes = st.integers(1, 4096).map(lambda count: Size(f"{count}MiB")) | st.integers(1, 10**6).map(
    lambda count: Size(f"{count}KiB")
)


@given(sizes)
def test_a_size_is_written_as_what_it_is(size: Size) -> None:
    number, unit = re.fullmatch(r"(\d+)([kMG])", size.written()).groups()  # type: ignore[union-attr]
    assert int(number) * 1024 ** ("kMG".index(unit) + 1) == size.bytes
    assert written(size.bytes, "B") == size.written("B")


tunings = st.builds(
    PostgresTuning,
    shared_buffers=sizes,
    work_mem=sizes,
    maintenance_work_mem=sizes,
    max_connections=st.integers(10, 5000),
)


@given(tunings)
def test_postgres_settings_are_read_back(tuning: PostgresTuning) -> None:
    text = postgres.files.settings(tuning)
    settings = dict(line.split(" = ") for line in text.splitlines() if line)
    assert len(settings) == sum(bool(line) for line in text.splitlines()), "each setting stands once"
    assert int(settings["max_connections"]) == tuning.max_connections
    units = {"kB": 1024, "MB": 1024**2, "GB": 1024**3}
    for name in ("shared_buffers", "work_mem", "maintenance_work_mem"):
        assert int(settings[name][:-2]) * units[settings[name][-2:]] == getattr(tuning, name).bytes
    assert settings["ssl"] == "on" and settings["password_encryption"] == "'scram-sha-256'"


@given(tunings, st.integers(6, 2**20).map(lambda count: Memory(f"{count}MiB")))
def test_postgres_fits_or_names_what_does_not(tuning: PostgresTuning, limit: Memory) -> None:
    if tuning.bytes <= limit.bytes:
        tuning.check(limit)
    else:
        with pytest.raises(
            ValueError, match=rf"shared_buffers {tuning.shared_buffers}.*limits.memory.*{limit}"
        ):
            tuning.check(limit)


@given(st.builds(RedisTuning, maxmemory=sizes, append_only=st.booleans(), max_clients=st.integers(10, 65000)))
def test_redis_needs_more_than_its_data_and_half_as_much_again_for_a_rewrite(tuning: RedisTuning) -> None:
    times = 3 if tuning.append_only else 2
    assert tuning.needed >= tuning.maxmemory.bytes * times // 2 + 16 * 1024**2


@given(st.builds(MysqlTuning, buffer_pool=sizes, max_connections=st.integers(10, 10000)))
def test_mysql_settings_are_read_back(tuning: MysqlTuning) -> None:
    text = mysql.files.settings(tuning)
    settings = dict(line.split(" = ") for line in text.splitlines() if " = " in line)
    number, unit = settings["innodb_buffer_pool_size"][:-1], settings["innodb_buffer_pool_size"][-1]
    assert int(number) * 1024 ** ("kMG".index(unit) + 1) == tuning.buffer_pool.bytes
    assert settings["require_secure_transport"] == "ON" and settings["read_only"] == "OFF"


def test_the_documents_settings_fit() -> None:
    """systems.md, 2: PostgreSQL into 1 GiB, Redis into 512 MiB."""
    PostgresTuning(
        shared_buffers=Size("256MiB"),
        effective_cache_size=Size("1GiB"),
        max_connections=200,
    ).check(Memory("1GiB"))
    RedisTuning(maxmemory=Size("256MiB"), eviction="allkeys-lru").check(Memory("512MiB"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: RedisSpec(**COMMON, alias="redis", maxmemory="200MiB"),
            "maxmemory 200MiB with append_only and max_clients 1000 need 336MiB; allowed: .* is 256MiB",
        ),
        (
            lambda: RedisSpec(**COMMON, alias="redis", users=({"name": "default", "rules": "+@all"},)),
            "users: default; allowed: each name once, and not `default`",
        ),
        (
            lambda: PostgresSpec(
                **COMMON, alias="postgres", user="a", database="b", tuning={"shared_buffers": "1GiB"}
            ),
            "shared_buffers 1GiB.*allowed: limits.memory, which is 512MiB",
        ),
        (
            lambda: PostgresSpec(**COMMON, alias="postgres", user="a'b", database="b"),
            "user\n.*should match pattern",
        ),
        (
            lambda: MysqlSpec(**COMMON, alias="mysql", user="root", database="b"),
            "user\n.*allowed: a user other than root",
        ),
        (
            lambda: MysqlSpec(
                **COMMON, alias="mysql", user="a", database="b", tuning={"max_connections": 5000}
            ),
            "max_connections 5000 need .*allowed: limits.memory, which is 1GiB",
        ),
        (
            lambda: PostgresSpec(
                **COMMON, alias="postgres", user="a", database="b", init=({"name": "a.txt", "text": ""},)
            ),
            r"init\.0\.name\n.*should match pattern",
        ),
        (lambda: Size("4.5MiB"), "allowed: a whole size with its unit"),
    ],
)
def test_what_cannot_work_is_told(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text(min_size=1)), st.text(min_size=1))
def test_no_password_becomes_a_rule(users: dict[str, str], default: str) -> None:
    given_users = [RedisUser(name=name, rules="~x:* +get") for name in users]
    lines = users_acl(given_users, {"default": default, **users}).splitlines()
    assert len(lines) == 1 + len(users)
    for line, (name, password) in zip(lines, [("default", default), *users.items()], strict=True):
        assert line.startswith(f"user {name} on #{hashlib.sha256(password.encode()).hexdigest()} ")


def test_only_tls_reaches_postgres() -> None:
    rules = [line.split() for line in postgres.files.hba().splitlines()]
    assert {rule[0] for rule in rules} == {"local", "hostssl"}
    assert [rule for rule in rules if rule[-1] != "scram-sha-256"] == [
        ["local", "all", "postgres", "peer"],
        ["hostssl", "all", "postgres", "all", "reject"],
    ], "the superuser comes from inside alone"
