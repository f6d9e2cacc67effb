"""Addresses, snapshot policies and RAM through the plugin, and its functions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from emulator.access import AccessKey
from emulator.api.faults import Fault
from emulator.cloud import Cloud
from offline.alicloud import schema
from offline.provider.schema import Shape
from tests.cloud.plugins import REGION, Life, live, running
from tests.cloud.running import Listener
from tests.docker.plugin import UNKNOWN, CheckFailed, Made, PluginClient

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs
    from alibabacloud_ram20150501.client import Client as Ram
    from alibabacloud_vpc20160428.client import Client as Vpc

EIP = "alicloud:ecs/eipAddress:EipAddress"
OLD_EIP = "alicloud:ecs/eip:Eip"
POLICY = "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy"
ROLE = "alicloud:ram/role:Role"
RAM_POLICY = "alicloud:ram/policy:Policy"
ATTACHMENT = "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"

ZONES = "alicloud:index/getZones:getZones"
REGIONS = "alicloud:index/getRegions:getRegions"
TYPES = "alicloud:ecs/getInstanceTypes:getInstanceTypes"
IMAGES = "alicloud:ecs/getImages:getImages"


@pytest.fixture
def plugin(cloud: Cloud, key: AccessKey, server: Listener) -> Iterator[PluginClient]:
    with running(cloud, key, server) as made:
        yield made


@pytest.mark.parametrize("token", [EIP, OLD_EIP])
def test_an_address_lives(plugin: PluginClient, vpc: Vpc, token: str) -> None:
    from alibabacloud_vpc20160428 import models

    def outside(made: Made) -> dict[str, Any]:
        vpc.modify_eip_address_attribute(
            models.ModifyEipAddressAttributeRequest(
                region_id=REGION, allocation_id=made.id, bandwidth="50", name="by-hand"
            )
        )
        return {"bandwidth": "50", "addressName": "by-hand"}

    live(
        plugin,
        Life(
            token,
            {
                "addressName": "web",
                "bandwidth": "10",
                "internetChargeType": "PayByTraffic",
                "paymentType": "PayAsYouGo",
                "isp": "BGP",
                "tags": {"a": "1"},
            },
            updated={"addressName": "api", "bandwidth": "20", "description": "x", "tags": {"b": "2"}},
            replaced={"internetChargeType": "PayByBandwidth", "isp": "BGP_PRO"},
            outside=outside,
            outputs=("ipAddress", "status", "createTime", "resourceGroupId"),
        ),
    )


def test_one_payment_under_two_names_is_no_change(plugin: PluginClient) -> None:
    made = plugin.create(EIP, {"paymentType": "PayAsYouGo"})
    assert plugin.diff(made, {"paymentType": "PostPaid"}).paths == {}
    assert plugin.diff(made, {"paymentType": "Subscription"}).replaces == ["paymentType"]


def test_a_snapshot_policy_lives(plugin: PluginClient, ecs: Ecs) -> None:
    from alibabacloud_ecs20140526 import models

    def outside(made: Made) -> dict[str, Any]:
        ecs.modify_auto_snapshot_policy_ex(
            models.ModifyAutoSnapshotPolicyExRequest(
                region_id=REGION, auto_snapshot_policy_id=made.id, retention_days=9
            )
        )
        return {"retentionDays": 9}

    live(
        plugin,
        Life(
            POLICY,
            {
                "autoSnapshotPolicyName": "nightly",
                "repeatWeekdays": ["1", "4"],
                "timePoints": ["2", "14"],
                "retentionDays": 7,
                "tags": {"a": "1"},
            },
            updated={
                "autoSnapshotPolicyName": "daily",
                "repeatWeekdays": ["1", "2"],
                "timePoints": ["3"],
                "retentionDays": -1,
                "tags": {"b": "2"},
            },
            outside=outside,
            outputs=("createTime", "status"),
        ),
    )


def test_a_snapshot_policy_whose_answer_is_lost_is_found_again(plugin: PluginClient, cloud: Cloud) -> None:
    inputs = {"repeatWeekdays": ["1"], "timePoints": ["2"], "retentionDays": 7}
    first = plugin.create(POLICY, inputs)
    cloud.faults.order(Fault(action="CreateAutoSnapshotPolicy", times=1, cut=True))
    second = plugin.create(POLICY, inputs, name="second")
    assert first.id != second.id
    assert [one.action for one in cloud.calls].count("CreateAutoSnapshotPolicy") == 2


def _trust(service: str) -> str:
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": [service]}}
    return json.dumps({"Version": "1", "Statement": [statement]})


def _rights(action: str) -> str:
    statement = {"Action": [action], "Effect": "Allow", "Resource": ["*"]}
    return json.dumps({"Version": "1", "Statement": [statement]})


def test_a_role_lives(plugin: PluginClient, ram: Ram) -> None:
    from alibabacloud_ram20150501 import models

    def outside(made: Made) -> dict[str, Any]:
        ram.update_role(models.UpdateRoleRequest(role_name=made.id, new_description="by hand"))
        return {"description": "by hand"}

    live(
        plugin,
        Life(
            ROLE,
            {
                "roleName": "machine",
                "assumeRolePolicyDocument": _trust("ecs.aliyuncs.com"),
                "description": "one",
                "tags": {"a": "1"},
            },
            updated={
                "assumeRolePolicyDocument": _trust("fc.aliyuncs.com"),
                "description": "two",
                "maxSessionDuration": 7200,
                "tags": {"b": "2"},
            },
            replaced={"roleName": "other"},
            outside=outside,
            outputs=("arn", "roleId", "createTime"),
        ),
    )


def test_a_document_is_the_same_however_it_is_written(plugin: PluginClient) -> None:
    trust = _trust("ecs.aliyuncs.com")
    made = plugin.create(ROLE, {"roleName": "machine", "assumeRolePolicyDocument": trust})
    wide = json.dumps(json.loads(trust), indent=2, sort_keys=True)
    assert plugin.diff(made, {"roleName": "machine", "assumeRolePolicyDocument": wide}).paths == {}
    with pytest.raises(CheckFailed, match="is no JSON"):
        plugin.check(ROLE, {"roleName": "x", "assumeRolePolicyDocument": "{"})


def test_a_policy_and_its_attachment_live(plugin: PluginClient, ram: Ram) -> None:
    from alibabacloud_ram20150501 import models

    def outside(made: Made) -> dict[str, Any]:
        document = _rights("oss:Get*")
        ram.create_policy_version(
            models.CreatePolicyVersionRequest(
                policy_name=made.id, policy_document=document, set_as_default=True
            )
        )
        return {"policyDocument": document}

    live(
        plugin,
        Life(
            RAM_POLICY,
            {"policyName": "read", "policyDocument": _rights("ecs:Describe*"), "tags": {"a": "1"}},
            updated={"policyDocument": _rights("vpc:Describe*"), "description": "x", "tags": {"b": "2"}},
            replaced={"policyName": "other"},
            outside=outside,
            outputs=("versionId", "defaultVersion", "createTime", "type"),
        ),
    )
    role = {"roleName": "machine", "assumeRolePolicyDocument": _trust("ecs.aliyuncs.com")}
    plugin.create(ROLE, role)
    plugin.create(RAM_POLICY, {"policyName": "read", "policyDocument": _rights("ecs:Describe*")})
    live(
        plugin,
        Life(
            ATTACHMENT,
            {"roleName": "machine", "policyName": "read", "policyType": "Custom"},
            replaced={"roleName": UNKNOWN, "policyName": "other", "policyType": "System"},
        ),
    )


def test_force_takes_a_role_off_its_policies(plugin: PluginClient) -> None:
    role = {"roleName": "machine", "assumeRolePolicyDocument": _trust("ecs.aliyuncs.com"), "force": True}
    made = plugin.create(ROLE, role)
    attached = {"roleName": "machine", "policyName": "ReadOnlyAccess", "policyType": "System"}
    plugin.create(ATTACHMENT, attached)
    plugin.delete(made)
    assert plugin.read(made) is None


def test_what_others_made_is_not_taken_over(plugin: PluginClient) -> None:
    role = {"roleName": "machine", "assumeRolePolicyDocument": _trust("ecs.aliyuncs.com")}
    plugin.create(ROLE, role)
    with pytest.raises(grpc.RpcError, match="there is a role 'machine' already"):
        plugin.create(ROLE, role, name="second")


# --- functions


def misshaped(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Paths of what an answer has and the schema does not, or has otherwise."""
    kinds: dict[str, Any] = {
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
        "array": list,
    }
    if value is None:
        return
    if "properties" in shape:
        for name, one in value.items():
            if name not in shape["properties"]:
                yield f"{path}.{name}"
            else:
                yield from misshaped(one, shape["properties"][name], f"{path}.{name}")
    elif shape["type"] == "array":
        for one in value:
            yield from misshaped(one, shape["items"], f"{path}[]")
    elif shape["type"] == "object":
        for name, one in value.items():
            yield from misshaped(one, shape["additionalProperties"], f"{path}.{name}")
    elif not isinstance(value, kinds[shape["type"]]):
        yield f"{path}: {value!r} is no {shape['type']}"


@pytest.mark.parametrize(
    ("token", "arguments", "listed"),
    [
        (REGIONS, {}, "regions"),
        (ZONES, {"enableDetails": True}, "zones"),
        (TYPES, {"cpuCoreCount": 2}, "instanceTypes"),
        (IMAGES, {"owners": "system"}, "images"),
    ],
    ids=["regions", "zones", "types", "images"],
)
def test_an_answer_has_the_official_shape(
    plugin: PluginClient, token: str, arguments: dict[str, Any], listed: str
) -> None:
    answer = plugin.invoke(token, arguments)
    shapes = schema.results_of(token)
    assert list(misshaped(answer, {"type": "object", "properties": shapes}, "")) == []
    assert shapes.keys() - arguments.keys() - answer.keys() <= schema.arguments_of(token).keys()
    assert answer[listed] and len(answer["ids"]) == len(answer[listed])
    items = shapes[listed]["items"]["properties"].keys()
    assert items - answer[listed][0].keys() <= {"multiZoneIds", "slbSlaveZoneIds"}


def test_regions_are_chosen_by_name(plugin: PluginClient) -> None:
    assert plugin.invoke(REGIONS, {"current": True})["ids"] == [REGION]
    assert plugin.invoke(REGIONS, {"name": "eu-central-1"})["ids"] == ["eu-central-1"]
    with pytest.raises(grpc.RpcError, match="there is no region 'moon'"):
        plugin.invoke(REGIONS, {"name": "moon"})
    with pytest.raises(grpc.RpcError, match="give one of the two"):
        plugin.invoke(REGIONS, {"name": "eu-central-1", "current": True})


def test_instance_types_are_chosen(plugin: PluginClient) -> None:
    zone = plugin.invoke(ZONES, {"availableResourceCreation": "VSwitch"})["ids"][0]
    asked = {"availabilityZone": zone, "cpuCoreCount": 2, "memorySize": 4, "sortedBy": "Memory"}
    found = plugin.invoke(TYPES, asked)["instanceTypes"]
    assert found and {(one["cpuCoreCount"], one["memorySize"]) for one in found} == {(2, 4)}
    assert all(one["availabilityZones"] == [zone] for one in found)
    with pytest.raises(grpc.RpcError, match="nothing of that is in stock in zone cn-moon-a"):
        plugin.invoke(TYPES, {"availabilityZone": "cn-moon-a"})
    with pytest.raises(grpc.RpcError, match="prices need the billing service"):
        plugin.invoke(TYPES, {"sortedBy": "Price"})


def test_images_are_chosen(plugin: PluginClient, tmp_path: Path) -> None:
    every = plugin.invoke(IMAGES, {"owners": "system"})["images"]
    newest = max(every, key=lambda one: one["creationTime"])
    file = tmp_path / "images.json"
    asked = {"owners": "system", "nameRegex": ".", "mostRecent": True, "outputFile": str(file)}
    (found,) = plugin.invoke(IMAGES, asked)["images"]
    assert found["creationTime"] == newest["creationTime"]
    assert json.loads(file.read_text())[0]["id"] == found["id"]
    assert plugin.invoke(IMAGES, {"nameRegex": "^nothing is called so$"})["ids"] == []
    with pytest.raises(grpc.RpcError, match="one of nameRegex, owners, imageOwnerId is required"):
        plugin.invoke(IMAGES, {})
    with pytest.raises(grpc.RpcError, match="is no regular expression"):
        plugin.invoke(IMAGES, {"nameRegex": "("})
