"""Actions on key pairs. What attaches a pair to instances stands with the instances."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from emulator.api.call import NO_URL, Answer, Call, JsonList, Request, Says, Tag
from emulator.api.errors import not_served
from emulator.api.paging import Numbered, numbered
from emulator.services.ecs import key_pairs
from emulator.services.ecs.model_keys import KeyPair
from emulator.services.ecs.service import ECS
from emulator.tags import checked, match, shaped
from emulator.times import minutes_utc


def _name(text: str) -> str:
    """2 to 128 characters, the first a letter of any script; and .:_- among letters and digits."""
    if not re.fullmatch(r"[^\W\d_][\w.:-]{1,127}", text):
        raise ValueError("malformed")
    return text


Name = Annotated[
    str,
    NO_URL,
    AfterValidator(_name),
    Says("InvalidKeyPairName.Malformed", "Specified Key Pair name is not valid."),
]


class CreateKeyPair(Request):
    key_pair_name: Name
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@ECS.action
def create_key_pair(call: Call, given: CreateKeyPair) -> Answer:
    if given.client_token:  # its answer would be kept, and with it the private key
        raise not_served(call.action, "ClientToken")
    pair, private_key = key_pairs.create(
        call,
        name=given.key_pair_name,
        resource_group=given.resource_group_id,
        tags=checked(given.tag),
    )
    return {
        "KeyPairId": pair.key_pair_id,
        "KeyPairName": pair.name,
        "KeyPairFingerPrint": pair.fingerprint,
        "PrivateKeyBody": private_key,
    }


class ImportKeyPair(Request):
    key_pair_name: Name
    public_key_body: str
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@ECS.action
def import_key_pair(call: Call, given: ImportKeyPair) -> Answer:
    pair = key_pairs.take_in(
        call,
        name=given.key_pair_name,
        public_key=given.public_key_body,
        resource_group=given.resource_group_id,
        tags=checked(given.tag),
    )
    return {"KeyPairName": pair.name, "KeyPairFingerPrint": pair.fingerprint}


class DescribeKeyPairs(Numbered):
    key_pair_name: str = ""
    """`*` stands for anything: `*test*`."""
    key_pair_finger_print: str = ""
    resource_group_id: str = ""
    include_public_key: bool = False
    tag: tuple[Tag, ...] = ()


@ECS.action
def describe_key_pairs(call: Call, given: DescribeKeyPairs) -> Answer:
    pattern = re.compile(".*".join(map(re.escape, given.key_pair_name.split("*"))))
    found = [
        pair
        for pair in call.cloud.store.all(KeyPair, call.region)
        if (not given.key_pair_name or pattern.fullmatch(pair.name))
        and given.key_pair_finger_print in ("", pair.fingerprint)
        and given.resource_group_id in ("", pair.resource_group)
        and match(pair.tags, given.tag)
    ]
    part, said = numbered(given, found)
    return said | {"KeyPairs": {"KeyPair": [_shape(pair, whole=given.include_public_key) for pair in part]}}


class DeleteKeyPairs(Request):
    key_pair_names: Annotated[
        JsonList,
        Field(min_length=1),
        Says("InvalidKeyPairNames.ValueNotSupported", 'The specified parameter "KeyPairNames" is not valid.'),
    ]


@ECS.action
def delete_key_pairs(call: Call, given: DeleteKeyPairs) -> Answer:
    key_pairs.delete(call, given.key_pair_names)
    return {}


def _shape(pair: KeyPair, *, whole: bool) -> dict[str, Any]:
    shape = {
        "KeyPairName": pair.name,
        "KeyPairFingerPrint": pair.fingerprint,
        "CreationTime": minutes_utc(pair.created),
        "ResourceGroupId": pair.resource_group,
        "Tags": shaped(pair.tags, key="TagKey", value="TagValue"),
    }
    return shape | {"PublicKey": pair.public_key} if whole else shape
