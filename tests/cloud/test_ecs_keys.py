"""Key pairs, tags and resource groups, by the official SDK."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m
from alibabacloud_vpc20160428 import models as v
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from emulator.services.ecs import key_pairs
from emulator.services.ecs.model_keys import KeyPair
from emulator.services.vpc.model import Lease
from tests.cloud.conftest import REGION, Refused
from tests.cloud.raw import Raw
from tests.cloud.running import Clock, Listener

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs
    from alibabacloud_vpc20160428.client import Client as Vpc

    from emulator.access import AccessKey
    from emulator.cloud import Cloud

R = {"region_id": REGION}


def create(ecs: Ecs, name: str, **more: Any) -> Any:
    return ecs.create_key_pair(m.CreateKeyPairRequest(**R, key_pair_name=name, **more)).body


def take_in(ecs: Ecs, name: str, key: str) -> Any:
    return ecs.import_key_pair(m.ImportKeyPairRequest(**R, key_pair_name=name, public_key_body=key)).body


def described(ecs: Ecs, **wanted: Any) -> list[Any]:
    body = ecs.describe_key_pairs(m.DescribeKeyPairsRequest(**R, **wanted)).body
    found: list[Any] = body.key_pairs.key_pair
    return found


def delete(ecs: Ecs, *names: str) -> None:
    ecs.delete_key_pairs(m.DeleteKeyPairsRequest(**R, key_pair_names=json.dumps(names)))


def own_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_a_pair_is_made_and_its_private_half_is_answered_once(ecs: Ecs, cloud: Cloud) -> None:
    made = create(ecs, "deploy")
    private = load_pem_private_key(made.private_key_body.encode(), None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (found,) = described(ecs, include_public_key=True)
    assert (found.key_pair_name, found.public_key) == ("deploy", public)
    assert found.key_pair_finger_print == made.key_pair_finger_print
    assert made.key_pair_id.startswith("ssh-")
    secret = "".join(made.private_key_body.split("\n")[3:6])
    kept = b"".join(path.read_bytes() for path in cloud.folder.iterdir() if path.is_file())
    assert public.split()[1].encode() in kept, "the state was looked at"
    assert secret.encode() not in kept
    assert made.private_key_body.split("\n")[3].encode() not in kept


def test_a_private_key_is_not_kept_for_a_client_token(ecs: Ecs, key: AccessKey, server: Listener) -> None:
    raw = Raw(server.url, key.id, key.secret)
    answer = raw.ask("ecs", "CreateKeyPair", RegionId=REGION, KeyPairName="deploy", ClientToken="once")
    assert (answer.status, answer.code) == (400, "UnsupportedParameter.Emulator")
    assert described(ecs) == []


def test_the_fingerprint_is_what_ssh_keygen_says(ecs: Ecs, tmp_path: Path) -> None:
    key = own_key()
    (tmp_path / "key.pub").write_text(key + "\n")
    said = subprocess.run(
        ["ssh-keygen", "-l", "-E", "md5", "-f", "key.pub"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"MD5:{take_in(ecs, 'own', key).key_pair_finger_print} " in said
    assert re.fullmatch(r"([0-9a-f]{2}:){15}[0-9a-f]{2}", described(ecs)[0].key_pair_finger_print)


def test_a_pair_that_was_taken_in_loses_its_comment_only(ecs: Ecs) -> None:
    key = own_key()
    take_in(ecs, "own", f"  {key} me@home\n")
    assert described(ecs, include_public_key=True)[0].public_key == key
    assert described(ecs)[0].public_key is None


@pytest.mark.parametrize(
    "text", ["", "ssh-rsa", "ssh-rsa AAAA", "no key at all", "-----BEGIN PUBLIC KEY-----\nx\n"]
)
def test_what_is_no_public_key_is_refused(ecs: Ecs, text: str, refused: Refused) -> None:
    with refused("InvalidPublicKeyBody.Malformed"):
        take_in(ecs, "own", text)


@pytest.mark.parametrize("name", ["1st", "a", "http://x", "a b", ""])
def test_a_malformed_name_is_refused(ecs: Ecs, name: str, refused: Refused) -> None:
    with refused("InvalidKeyPairName.Malformed"):
        create(ecs, name)
    with refused("InvalidKeyPairName.Malformed"):
        take_in(ecs, name, own_key())


def test_a_name_is_free_once_in_a_region(ecs: Ecs, refused: Refused) -> None:
    key = own_key()
    take_in(ecs, "own", key)
    with refused("KeyPair.AlreadyExist"):
        take_in(ecs, "own", own_key())
    with refused("KeyPair.AlreadyExist"):
        create(ecs, "own")
    request = m.ImportKeyPairRequest(region_id="cn-shanghai", key_pair_name="own", public_key_body=key)
    assert ecs.import_key_pair(request).body.key_pair_name == "own"


def test_pairs_are_found_by_name_and_fingerprint(ecs: Ecs) -> None:
    prints = {name: take_in(ecs, name, own_key()).key_pair_finger_print for name in ("web-1", "web-2", "db")}

    def names(**wanted: Any) -> list[str]:
        return [found.key_pair_name for found in described(ecs, **wanted)]

    assert names() == ["web-1", "web-2", "db"]
    assert names(key_pair_name="web-1") == ["web-1"]
    assert names(key_pair_name="web") == []
    assert names(key_pair_name="web*") == ["web-1", "web-2"]
    assert names(key_pair_name="*-2") == ["web-2"]
    assert names(key_pair_finger_print=prints["db"]) == ["db"]
    assert names(page_size=2, page_number=2) == ["db"]


def test_pairs_are_deleted_together(ecs: Ecs, refused: Refused) -> None:
    for name in ("one", "two", "three"):
        take_in(ecs, name, own_key())
    delete(ecs, "one", "two", "none")
    assert [found.key_pair_name for found in described(ecs)] == ["three"]
    with refused("InvalidKeyPairNames.ValueNotSupported"):
        ecs.delete_key_pairs(m.DeleteKeyPairsRequest(**R, key_pair_names="three"))
    with refused("InvalidKeyPairNames.ValueNotSupported"):
        delete(ecs)


def test_a_pair_in_use_stays_and_so_do_those_beside_it(
    ecs: Ecs, cloud: Cloud, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def users(cloud: Cloud, pair: KeyPair) -> list[Lease]:
        return [one for one in cloud.store.all(Lease) if one.holder == pair.name]

    monkeypatch.setattr(key_pairs, "_USERS", [])
    key_pairs.keeps_key_pair(users)
    for name in ("free", "used"):
        take_in(ecs, name, own_key())
    user = Lease.model_validate(
        {"id": "vpc/10.0.0.1", "region": REGION, "vswitch": "vsw", "address": "10.0.0.1", "holder": "used"}
    )
    cloud.store.put(user)
    with refused("InvalidParameter.KeypairAlreadyAttachedInstance"):
        delete(ecs, "free", "used")
    assert len(described(ecs)) == 2
    cloud.store.remove(user)
    delete(ecs, "free", "used")
    assert described(ecs) == []


def test_pairs_of_a_region_have_a_quota(ecs: Ecs, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_pairs, "MOST", 0)
    with refused("QuotaExceed.KeyPair", 403):
        create(ecs, "one-more")


# --- tags and resource groups, of everything that has them


@pytest.fixture
def tagged(ecs: Ecs, vpc: Vpc, clock: Clock) -> dict[str, str]:
    """An id for each ResourceType."""
    network = vpc.create_vpc(v.CreateVpcRequest(**R, cidr_block="10.0.0.0/16")).body.vpc_id
    clock.later(1)
    take_in(ecs, "own", own_key())
    policy = m.CreateAutoSnapshotPolicyRequest(
        **R, repeat_weekdays='["1"]', time_points='["1"]', retention_days=-1
    )
    return {
        "keypair": "own",
        "securitygroup": ecs.create_security_group(
            m.CreateSecurityGroupRequest(**R, vpc_id=network)
        ).body.security_group_id,
        "snapshotpolicy": ecs.create_auto_snapshot_policy(policy).body.auto_snapshot_policy_id,
    }


def tags_of(ecs: Ecs, kind: str, *ids: str, **more: Any) -> list[tuple[str, str, str]]:
    request = m.ListTagResourcesRequest(**R, resource_type=kind, resource_id=list(ids) or None, **more)
    rows = ecs.list_tag_resources(request).body.tag_resources.tag_resource
    return [(row.resource_id, row.tag_key, row.tag_value) for row in rows]


@pytest.mark.parametrize("kind", ["keypair", "securitygroup", "snapshotpolicy"])
def test_tags_are_put_on_listed_and_taken_off(ecs: Ecs, tagged: dict[str, str], kind: str) -> None:
    own = tagged[kind]
    tags = [m.TagResourcesRequestTag(key=key, value=key.upper()) for key in ("a", "b", "c")]
    ecs.tag_resources(m.TagResourcesRequest(**R, resource_type=kind, resource_id=[own], tag=tags))
    assert tags_of(ecs, kind, own) == [(own, "a", "A"), (own, "b", "B"), (own, "c", "C")]
    assert tags_of(ecs, kind, tag=[m.ListTagResourcesRequestTag(key="b", value="B")])[1] == (own, "b", "B")
    assert tags_of(ecs, kind, tag=[m.ListTagResourcesRequestTag(key="b", value="x")]) == []
    ecs.untag_resources(m.UntagResourcesRequest(**R, resource_type=kind, resource_id=[own], tag_key=["a"]))
    assert [row[1] for row in tags_of(ecs, kind, own)] == ["b", "c"]
    ecs.untag_resources(m.UntagResourcesRequest(**R, resource_type=kind, resource_id=[own], all=True))
    assert tags_of(ecs, kind, own) == []


def test_tags_make_sense_or_are_refused(ecs: Ecs, tagged: dict[str, str], refused: Refused) -> None:
    def tag(kind: str, own: str, *keys: str) -> None:
        tags = [m.TagResourcesRequestTag(key=key, value="x") for key in keys]
        ecs.tag_resources(m.TagResourcesRequest(**R, resource_type=kind, resource_id=[own], tag=tags))

    with refused("InvalidResourceType.NotFound", 404):
        tag("spaceship", "own", "a")
    with refused("InvalidResourceId.NotFound", 404):
        tag("keypair", "none", "a")
    with refused("Duplicate.TagKey"):
        tag("keypair", "own", "a", "a")
    with refused("InvalidTagKey.Malformed"):
        tag("keypair", "own", "acs:a")
    tag("keypair", "own", *(f"a{number}" for number in range(20)))
    with refused("InvalidTagCount"):
        tag("keypair", "own", "one-more")
    with refused("MissingParameter"):
        ecs.untag_resources(m.UntagResourcesRequest(**R, resource_type="keypair", resource_id=["own"]))
    with refused("MissingParameter"):
        tags_of(ecs, "keypair")


def test_tags_are_listed_piece_by_piece(ecs: Ecs) -> None:
    names = [f"pair-{number}" for number in range(3)]
    for name in names:
        take_in(ecs, name, own_key())
    tags = [m.TagResourcesRequestTag(key=f"k{number:02}", value="x") for number in range(20)]
    ecs.tag_resources(m.TagResourcesRequest(**R, resource_type="keypair", resource_id=names, tag=tags))
    seen, token = 0, None
    while True:
        request = m.ListTagResourcesRequest(**R, resource_type="keypair", resource_id=names, next_token=token)
        body = ecs.list_tag_resources(request).body
        seen += len(body.tag_resources.tag_resource)
        token = body.next_token
        if not token:
            break
    assert seen == 60


@pytest.mark.parametrize("kind", ["keypair", "securitygroup", "snapshotpolicy"])
def test_things_move_to_another_resource_group(
    ecs: Ecs, tagged: dict[str, str], kind: str, cloud: Cloud, refused: Refused
) -> None:
    def join(group: str, own: str = tagged[kind]) -> None:
        ecs.join_resource_group(
            m.JoinResourceGroupRequest(**R, resource_type=kind, resource_id=own, resource_group_id=group)
        )

    join("rg-web")
    wanted = {"resource_group_id": "rg-web"}
    found: list[Any]
    if kind == "keypair":
        found = described(ecs, **wanted)
    elif kind == "securitygroup":
        groups = ecs.describe_security_groups(m.DescribeSecurityGroupsRequest(**R, **wanted)).body
        found = groups.security_groups.security_group
    else:
        policies = m.DescribeAutoSnapshotPolicyExRequest(**R, **wanted)
        found = ecs.describe_auto_snapshot_policy_ex(
            policies
        ).body.auto_snapshot_policies.auto_snapshot_policy
    assert [one.resource_group_id for one in found] == ["rg-web"]
    with refused("InvalidResourceGroup.NotFound", 404):
        join("web")
    with refused("InvalidResourceId.NotFound", 404):
        join("rg-web", "none")
