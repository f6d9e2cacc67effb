"""Rules of key pairs. The private half is made, answered once, and kept nowhere."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.ecs.model_keys import KeyPair, key_of
from emulator.services.vpc import vpcs
from emulator.store import Thing

MOST: Final = 500
"""Of one region, without a raised quota."""
BITS: Final = 2048

Users = Callable[[Cloud, KeyPair], Sequence[Thing]]

_USERS: Final[list[Users]] = []


def keeps_key_pair(users: Users) -> None:
    """From now on `DeleteKeyPairs` is refused while there are such users."""
    _USERS.append(users)


def find(cloud: Cloud, region: str, name: str) -> KeyPair:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(KeyPair, key_of(region, name))
    if found is None:
        raise ApiError(404, "InvalidKeyPair.NotFound", "The specified key pair does not exist.")
    return found


def create(call: Call, *, name: str, resource_group: str, tags: dict[str, str]) -> tuple[KeyPair, str]:
    """The pair, and its private half as PEM."""
    _must_be_new(call, name)
    private = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return _keep(call, name, public, resource_group, tags), pem


def take_in(call: Call, *, name: str, public_key: str, resource_group: str, tags: dict[str, str]) -> KeyPair:
    """A pair of which the user has the private half."""
    _must_be_new(call, name)
    return _keep(call, name, _read(public_key), resource_group, tags)


def _must_be_new(call: Call, name: str) -> None:
    if call.cloud.store.get(KeyPair, key_of(call.region, name)):
        raise ApiError(400, "KeyPair.AlreadyExist", "The key pair already exist.")
    if len(call.cloud.store.all(KeyPair, call.region)) >= MOST:
        raise ApiError(403, "QuotaExceed.KeyPair", "The key pair quota exceeds.")


def _read(text: str) -> str:
    """The key without its comment. Raises ApiError for what is no public key in OpenSSH's form."""
    line = text.strip()
    words = line.split()
    try:
        if len(words) < 2 or "\n" in line:
            raise ValueError("not one line of kind and key")
        load_ssh_public_key(f"{words[0]} {words[1]}".encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ApiError(
            400, "InvalidPublicKeyBody.Malformed", "The PublicKeyBody format is not supported."
        ) from None
    return f"{words[0]} {words[1]}"


def fingerprint(public_key: str) -> str:
    """MD5 of the key, as RFC 4716 writes it: what `ssh-keygen -l -E md5` says behind `MD5:`."""
    digest = hashlib.md5(b64decode(public_key.split()[1]), usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _keep(call: Call, name: str, public_key: str, resource_group: str, tags: dict[str, str]) -> KeyPair:
    return call.cloud.store.put(
        KeyPair(
            id=key_of(call.region, name),
            region=call.region,
            created=call.now,
            name=name,
            key_pair_id=call.cloud.new_id("ssh-"),
            public_key=public_key,
            fingerprint=fingerprint(public_key),
            resource_group=resource_group or vpcs.DEFAULT_GROUP,
            tags=tags,
        )
    )


def delete(call: Call, names: Sequence[str]) -> None:
    """All of them, or none. One that is not there is no mistake, as at Alibaba Cloud."""
    cloud = call.cloud
    for name in names:
        pair = cloud.store.get(KeyPair, key_of(call.region, name))
        if pair is None:
            continue
        if used := [thing for users in _USERS for thing in users(cloud, pair)]:
            raise ApiError(
                400,
                "InvalidParameter.KeypairAlreadyAttachedInstance",
                'The specified parameter "KeyPairNames" attached to instances can not be deleted. '
                f"({pair.name}: {used[0].id})",
            )
        cloud.store.remove(pair)
