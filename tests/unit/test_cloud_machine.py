"""A cloud machine and its firewall as the engine gets them: all children and inputs. URNs are a contract."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from components.base import Identity
from components.cloud.capacity import LEAST
from components.cloud.ecs import Ecs, EcsSpec
from components.cloud.firewall import Doors, FirewallSpec, OperatorRange
from components.cloud.security_group import SecurityGroup
from components.units import Cidr
from ops.places import ROOT
from tests.policy.pack import ask
from tests.unit.program import Registration, register

IDENTITY = Identity(stack="prod", system="host", service="machine")
TAGS = {"berth.service": "machine", "berth.stack": "prod", "berth.system": "host"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops"
IMAGE = "ubuntu_24_04_x64_20G_alibase_20250317.vhd"
SYSTEM_DISK = {"systemDiskCategory": "cloud_essd", "systemDiskEncrypted": True, "systemDiskSize": 40}


def spec(**changes: object) -> EcsSpec:
    return EcsSpec.model_validate(
        {
            "zone": "cn-hangzhou-h",
            "instance_type": "ecs.c7.large",
            "carries": {"gateway": LEAST},
            "image": IMAGE,
            "public_key": KEY,
            "data_disks": [{"role": "data", "size_gib": 100}],
            **changes,
        }
    )


def machine(**changes: object) -> dict[str, Registration]:
    """What one machine with its firewall registers, by name."""

    def program() -> None:
        firewall = FirewallSpec(
            vpc_cidr=Cidr("10.20.0.0/16"),
            doors=Doors(public=(8010,), intranet=(8093,)),
            operators=(OperatorRange("203.0.113.0/24"),),
        )
        group = SecurityGroup("door", firewall, identity=IDENTITY, vpc_id="vpc-1")
        Ecs(
            "machine",
            spec(**changes),
            identity=IDENTITY,
            vswitch_id="vsw-1",
            group=group,
            user_data="#cloud-config\n",
        )

    return {item.name: item for item in register(program)}


@pytest.fixture(scope="module")
def made() -> dict[str, Registration]:
    return machine()


def rule(role: str, port: int, source: str) -> dict[str, object]:
    return {
        "cidrIp": source,
        "description": role,
        "ipProtocol": "tcp",
        "nicType": "intranet",
        "policy": "accept",
        "portRange": f"{port}/{port}",
        "priority": 1,
        "securityGroupId": "door-group-id",
        "type": "ingress",
    }


def test_everything_that_is_made(made: dict[str, Registration]) -> None:
    instance: dict[str, Any] = {
        "deletionProtection": True,
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "imageId": IMAGE,
        "instanceChargeType": "PostPaid",
        "instanceName": "machine",
        "instanceType": "ecs.c7.large",
        "internetMaxBandwidthOut": 0,
        "keyName": "machine-6c14e83c",
        "securityEnhancementStrategy": "Active",
        "securityGroups": ["door-group-id"],
        **SYSTEM_DISK,
        "tags": TAGS,
        "userData": "#cloud-config\n",
        "vswitchId": "vsw-1",
    }
    disk = {
        "category": "cloud_essd",
        "deleteWithInstance": False,
        "diskName": "machine-data",
        "encrypted": True,
        "paymentType": "PayAsYouGo",
        "size": 100,
        "tags": TAGS,
        "zoneId": "cn-hangzhou-h",
    }
    attached = {
        "deleteWithInstance": False,
        "diskId": "machine-data-disk-id",
        "instanceId": "machine-instance-id",
    }
    group = {
        "description": "host of stack prod",
        "innerAccessPolicy": "Drop",
        "securityGroupName": "door",
        "securityGroupType": "normal",
        "tags": TAGS,
        "vpcId": "vpc-1",
    }
    firewall, host = "berth:cloud:SecurityGroup", "berth:cloud:Ecs"
    of_group, of_rule = (
        f"{firewall}$alicloud:ecs/{it}"
        for it in ("securityGroup:SecurityGroup", "securityGroupRule:SecurityGroupRule")
    )
    assert {f"{item.urn.split('::')[2]}::{item.name}": item.inputs for item in made.values()} == {
        f"{firewall}::door": {},
        f"{of_group}::door-group": group,
        f"{of_rule}::door-public-8010": rule("public-8010", 8010, "0.0.0.0/0"),
        f"{of_rule}::door-intranet-8093": rule("intranet-8093", 8093, "10.20.0.0/16"),
        f"{of_rule}::door-operator-22-203.0.113.0-24": rule(
            "operator-22-203.0.113.0-24", 22, "203.0.113.0/24"
        ),
        f"{host}::machine": {},
        f"{host}$alicloud:ecs/ecsKeyPair:EcsKeyPair::machine-key": {
            "keyPairName": "machine-6c14e83c",
            "publicKey": KEY,
            "tags": TAGS,
        },
        f"{host}$alicloud:ecs/instance:Instance::machine-instance": instance,
        f"{host}$alicloud:ecs/ecsDisk:EcsDisk::machine-data-disk": disk,
        f"{host}$alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment::machine-data-attached": attached,
    }


def test_what_would_wipe_or_end_a_machine_is_refused(made: dict[str, Registration]) -> None:
    """Another image or other user data mean another machine, and a protected one is not replaced."""
    assert {name: item.options for name, item in made.items() if item.options} == {
        "machine-instance": {"protect": True, "replace_on_changes": ["imageId", "userData"]},
        "machine-data-disk": {"protect": True, "retain_on_delete": True},
        "machine-data-attached": {"delete_before_replace": True},
    }


def test_a_machine_may_be_given_up_but_not_its_data() -> None:
    found = machine(protected=False)
    assert found["machine-instance"].inputs["deletionProtection"] is False
    assert "protect" not in found["machine-instance"].options
    assert found["machine-data-disk"].options == {"protect": True, "retain_on_delete": True}


def test_nothing_opens_it_but_the_key(made: dict[str, Registration]) -> None:
    words = {word for item in made.values() for word in item.inputs if "password" in word.lower()}
    assert words == set()
    assert "dataDisks" not in made["machine-instance"].inputs


def test_another_key_is_another_pair() -> None:
    found = machine(public_key=KEY.replace("OMqq", "OMrr"))
    assert found["machine-key"].inputs["keyPairName"] != "machine-6c14e83c"


def test_the_policies_pass_it(made: dict[str, Registration]) -> None:
    for item in made.values():
        answer = ask(item.inputs, item.type)
        assert (answer.violations, answer.pending) == ([], [])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"instance_type": "ecs.u1-c1m1.large"},
            [
                "ecs.u1-c1m1.large has 2 vCPU and 2GiB; allowed: a type of at least 2 vCPU and 4GiB",
                "for gateway",
            ],
        ),
        ({"carries": {"gateway": LEAST, "celery": LEAST}}, ["2 vCPU and 8GiB, for gateway and celery"]),
        ({"instance_type": "ecs.c7.tiny"}, ["its vCPU and memory are not known"]),
        ({"instance_type": "c7.large"}, ["instance_type", "like ecs.c7.large"]),
        ({"zone": "hangzhou"}, ["zone", "like cn-hangzhou-h"]),
        *(
            ({"image": moves}, ["image", "which never moves"])
            for moves in ("debian_12", "acs:debian_12_9_x64", "latest", "")
        ),
        ({"public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, ["public_key", "public key"]),
        ({"password": "hunter2"}, ["password", "Extra inputs"]),
        ({"system_disk_gib": 20}, ["system_disk_gib", "greater than or equal to 40"]),
        ({"data_disks": [{"role": "data", "size_gib": 5}]}, ["data_disks.0.size_gib"]),
        (
            {"data_disks": [{"role": "data", "size_gib": 50}] * 2},
            ["two disks are called data; allowed: each role once"],
        ),
    ],
)
def test_bad_input_is_refused_by_name(changes: dict[str, object], named: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        spec(**changes)
    for text in named:
        assert text in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_users_program_has_the_whole_sdk_beside_the_components() -> None:
    """A class imported from a module below `pulumi_alicloud.ecs` first is missing in the package for good."""
    code = """
import components.cloud.ecs, components.cloud.security_group
from pulumi_alicloud import ecs
missing = {"Instance", "EcsDisk", "SecurityGroup", "SecurityGroupRule", "EcsKeyPair"} - set(vars(ecs))
sys.exit(", ".join(sorted(missing)) or 0)
"""
    subprocess.run([sys.executable, "-c", "import sys\n" + code], cwd=ROOT, check=True)
