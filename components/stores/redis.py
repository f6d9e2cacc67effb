"""Redis: a cache or a queue with a memory policy, an append-only file, and users from an ACL file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated

import pulumi
from pydantic import Field, model_validator

from components.containers.container import Limits, SecretFile
from components.containers.image import Image
from components.containers.network import AnyNetwork
from components.containers.service import Dependency
from components.spec import Spec
from components.stores.store import CONFIG, Recipe, Store, StoreSpec, preamble
from components.stores.tuning import RedisTuning
from components.units import Cpus, Memory

PORT = 6379
DATA = "/data"
_USER = "999:1000"
"""redis in the official alpine image."""
_PASSWORD, _USERS = "password", "users.acl"


class RedisUser(Spec):
    """A user beside `default`, who may do everything; its password comes beside the spec."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    rules: Annotated[str, Field(pattern=r"^[~&%+@][^\n>#<!]*$")]
    """Keys, channels and commands, such as `~cache:* &* +@read +@write -@dangerous`."""


class RedisSpec(RedisTuning, StoreSpec):
    """One Redis server; without `append_only` what it holds is lost when it ends."""

    users: tuple[RedisUser, ...] = ()
    limits: Limits = Limits(cpus=Cpus("0.5"), memory=Memory("256MiB"))

    @model_validator(mode="after")
    def _fits(self) -> RedisSpec:
        self.check(self.limits.memory)
        return self

    @model_validator(mode="after")
    def _users_are_named_once(self) -> RedisSpec:
        names = [user.name for user in self.users]
        if len(set(names)) < len(names) or "default" in names:
            raise ValueError(f"users: {', '.join(sorted(names))}; allowed: each name once, and not `default`")
        return self


class Redis(Store):
    """Clients: `redis://{spec.alias}:6379` and the password of `default`.

    password: of `default`. users: name to password of `spec.users`. Only hashes of them lie in the ACL file.
    """

    kind = "stores:Redis"

    def __init__(
        self,
        name: str,
        spec: RedisSpec,
        *,
        image: Image,
        network: AnyNetwork,
        password: pulumi.Input[str],
        users: Mapping[str, pulumi.Input[str]] | None = None,
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        passwords = dict(users or {})
        described = sorted(user.name for user in spec.users)
        if sorted(passwords) != described:
            raise ValueError(f"{name}: users {described} described, passwords of {sorted(passwords)} given")
        everyone = pulumi.Output.all(**{"default": password, **passwords})
        super().__init__(
            name,
            spec,
            redis(spec),
            image=image,
            network=network,
            secrets={
                _PASSWORD: password,
                _USERS: everyone.apply(lambda given: users_acl(spec.users, given)),
            },
            after=after,
            opts=opts,
        )


def redis(spec: RedisSpec) -> Recipe:
    """The recipe."""
    return Recipe(
        port=PORT,
        data=DATA,
        user=_USER,
        run="/run/redis",
        command=("redis-server", f"{CONFIG}/redis.conf"),
        secrets=(SecretFile(name=_PASSWORD), SecretFile(name=_USERS)),
        files={"redis.conf": settings(spec)},
        probe=_PROBE,
        guard=preamble(spec, DATA, _USER),
    )


def settings(spec: RedisSpec) -> str:
    """redis.conf."""
    return f"""\
bind * -::*
port {PORT}
dir {DATA}
aclfile /run/secrets/{_USERS}
maxmemory {spec.maxmemory.bytes}
maxmemory-policy {spec.eviction}
maxclients {spec.max_clients}
databases {spec.databases}
appendonly {"yes" if spec.append_only else "no"}
appendfsync everysec
aof-use-rdb-preamble yes
save ""
tcp-keepalive 60
"""


def users_acl(users: Sequence[RedisUser], passwords: Mapping[str, str]) -> str:
    """The ACL file: SHA-256 hashes, so that no character of a password can be taken for a rule."""

    def line(name: str, rules: str) -> str:
        return f"user {name} on #{hashlib.sha256(passwords[name].encode()).hexdigest()} {rules}\n"

    return line("default", "~* &* +@all") + "".join(
        line(user.name, f"resetkeys resetchannels {user.rules}") for user in users
    )


_PROBE = f"""\
REDISCLI_AUTH=$(cat /run/secrets/{_PASSWORD}) || exit 1
export REDISCLI_AUTH
answer=$(redis-cli -h 127.0.0.1 -p {PORT} ping 2>&1) || exit 1
[ "$answer" = PONG ] || {{ echo "$answer"; exit 1; }}
"""
