"""Instances by the SDK: made, moved from state to state, changed, removed."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m
from alibabacloud_vpc20160428 import models as v

from emulator.cloud import Cloud
from tests.cloud.conftest import Refused
from tests.cloud.machines import IMAGE, R, moving, place, role, run, seen, status
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs
    from alibabacloud_vpc20160428.client import Client as Vpc

__all__ = ["moving", "place"]  # fixtures


def test_an_instance_is_made_step_by_step(ecs: Ecs, place: dict[str, str], clock: Clock) -> None:
    [made] = run(
        ecs,
        place,
        instance_name="web",
        host_name="web-host",
        http_tokens="required",
        tag=[m.RunInstancesRequestTag(key="team", value="a")],
    )
    assert status(ecs, made) == "Pending"
    clock.later(0.3)
    assert status(ecs, made) == "Starting"
    clock.later(1)
    [one] = seen(ecs)
    assert (one.instance_id, one.status, one.instance_name, one.host_name) == (
        made,
        "Running",
        "web",
        "web-host",
    )
    assert one.vpc_attributes.private_ip_address.ip_address == ["10.0.1.252"], (
        "from the top, below the kept ones"
    )
    assert one.vpc_attributes.v_switch_id == place["vswitch"] and one.vpc_attributes.vpc_id == place["vpc"]
    assert one.security_group_ids.security_group_id == [place["group"]]
    assert (one.cpu, one.memory, one.instance_type_family) == (2, 4096, "ecs.c7")
    assert one.metadata_options.http_tokens == "required" and one.osname_en.startswith("Ubuntu")
    assert [(tag.tag_key, tag.tag_value) for tag in one.tags.tag] == [("team", "a")]
    [nic] = one.network_interfaces.network_interface
    assert (nic.type, nic.primary_ip_address, nic.mac_address) == (
        "Primary",
        "10.0.1.252",
        "00:16:0a:00:01:fc",
    )
    [disk] = ecs.describe_disks(m.DescribeDisksRequest(**R, instance_id=made)).body.disks.disk
    assert (disk.type, disk.device, disk.size, disk.status) == ("system", "/dev/xvda", 40, "In_use")


def test_several_are_made_at_once_with_numbers_and_addresses_of_their_own(
    ecs: Ecs, place: dict[str, str]
) -> None:
    run(ecs, place, amount=3, instance_name="web-[8,3]", host_name="h[0,2]x")
    found = seen(ecs)
    assert [one.instance_name for one in found] == ["web-008", "web-009", "web-010"]
    assert [one.host_name for one in found] == ["h00x", "h01x", "h02x"]
    assert len({one.vpc_attributes.private_ip_address.ip_address[0] for one in found}) == 3


def test_power_goes_off_and_on(ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused) -> None:
    [made] = run(ecs, place)
    with refused("IncorrectInstanceStatus", 403):
        ecs.stop_instance(m.StopInstanceRequest(instance_id=made))
    clock.later(2)
    ecs.stop_instance(m.StopInstanceRequest(instance_id=made, stopped_mode="StopCharging"))
    assert status(ecs, made) == "Stopping"
    clock.later(2)
    [one] = seen(ecs)
    assert (one.status, one.stopped_mode) == ("Stopped", "StopCharging")
    with refused("IncorrectInstanceStatus", 403):
        ecs.stop_instance(m.StopInstanceRequest(instance_id=made))
    ecs.start_instance(m.StartInstanceRequest(instance_id=made))
    clock.later(2)
    [one] = seen(ecs)
    assert (one.status, one.stopped_mode) == ("Running", "Not-applicable")
    ecs.reboot_instance(m.RebootInstanceRequest(instance_id=made))
    clock.later(0.6)
    assert status(ecs, made) == "Starting"
    clock.later(1)
    assert status(ecs, made) == "Running"
    many = ecs.reboot_instances(m.RebootInstancesRequest(**R, instance_id=[made])).body.instance_responses
    assert [(one.code, one.current_status) for one in many.instance_response] == [("200", "Stopping")]
    clock.later(2)
    many = ecs.stop_instances(m.StopInstancesRequest(**R, instance_id=[made])).body.instance_responses
    assert [(one.code, one.current_status) for one in many.instance_response] == [("200", "Stopping")]
    clock.later(2)
    many = ecs.start_instances(m.StartInstancesRequest(**R, instance_id=[made])).body.instance_responses
    assert [(one.previous_status, one.current_status) for one in many.instance_response] == [
        ("Stopped", "Starting")
    ]
    clock.later(2)
    ecs.delete_instances(m.DeleteInstancesRequest(**R, instance_id=[made], force=True))
    assert seen(ecs) == []


def test_a_protected_one_stays_and_what_goes_leaves_its_address_and_loose_disks(
    ecs: Ecs, vpc: Vpc, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    data = [
        m.RunInstancesRequestDataDisk(size=20, delete_with_instance=False),
        m.RunInstancesRequestDataDisk(size=30),
    ]
    [made] = run(ecs, place, deletion_protection=True, data_disk=data)
    clock.later(2)
    gone = m.DeleteInstanceRequest(instance_id=made, force=True)
    with refused("InvalidOperation.DeletionProtection", 403):
        ecs.delete_instance(gone)
    with refused("DependencyViolation"):
        vpc.delete_vswitch(v.DeleteVSwitchRequest(**R, v_switch_id=place["vswitch"]))
    with refused("DependencyViolation", 403):
        ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=place["group"]))
    ecs.modify_instance_attribute(
        m.ModifyInstanceAttributeRequest(instance_id=made, deletion_protection=False)
    )
    with refused("IncorrectInstanceStatus", 403):
        ecs.delete_instance(m.DeleteInstanceRequest(instance_id=made))
    ecs.delete_instance(gone)
    assert seen(ecs) == []
    [left] = ecs.describe_disks(m.DescribeDisksRequest(**R)).body.disks.disk
    assert (left.size, left.status, left.instance_id) == (20, "Available", "")
    with refused("InvalidInstanceId.NotFound", 404):
        ecs.delete_instance(gone)
    vpc.delete_vswitch(v.DeleteVSwitchRequest(**R, v_switch_id=place["vswitch"]))


def test_attributes_are_changed_and_told(ecs: Ecs, place: dict[str, str], clock: Clock, cloud: Cloud) -> None:
    text = base64.b64encode(b"#!/bin/sh\n").decode()
    [made] = run(ecs, place, user_data=text, ram_role_name=role(cloud, "builder"))
    clock.later(2)
    said = ecs.describe_user_data(m.DescribeUserDataRequest(**R, instance_id=made)).body
    assert said.user_data == text
    roles = ecs.describe_instance_ram_role(
        m.DescribeInstanceRamRoleRequest(**R, instance_ids=f'["{made}"]')
    ).body
    assert roles.instance_ram_role_sets.instance_ram_role_set[0].ram_role_name == "builder"
    ecs.modify_instance_attribute(
        m.ModifyInstanceAttributeRequest(instance_id=made, instance_name="db", description="d", user_data="")
    )
    ecs.modify_instance_metadata_options(
        m.ModifyInstanceMetadataOptionsRequest(**R, instance_id=made, http_tokens="required")
    )
    window = m.ModifyInstanceMaintenanceAttributesRequestMaintenanceWindow(
        start_time="02:00:00", end_time="03:00:00"
    )
    ecs.modify_instance_maintenance_attributes(
        m.ModifyInstanceMaintenanceAttributesRequest(
            **R, instance_id=[made], action_on_maintenance="Stop", maintenance_window=[window]
        )
    )
    [one] = seen(ecs, instance_name="d*")
    assert (one.instance_name, one.description, one.metadata_options.http_tokens) == ("db", "d", "required")
    asked = m.DescribeInstanceMaintenanceAttributesRequest(**R, instance_id=[made])
    kept = ecs.describe_instance_maintenance_attributes(
        asked
    ).body.maintenance_attributes.maintenance_attribute[0]
    assert kept.action_on_maintenance.value == "Stop"
    assert kept.maintenance_windows.maintenance_window[0].start_time == "02:00:00"
    alone = ecs.describe_instance_attribute(m.DescribeInstanceAttributeRequest(instance_id=made)).body
    assert (alone.status, alone.instance_name, alone.enable_jumbo_frame) == ("Running", "db", False)
    pool = ecs.describe_instance_attachment_attributes(
        m.DescribeInstanceAttachmentAttributesRequest(**R, instance_ids=f'["{made}"]')
    ).body.instances.instance[0]
    assert pool.private_pool_options_match_criteria == "None"
    states = ecs.describe_instance_status(m.DescribeInstanceStatusRequest(**R)).body.instance_statuses
    assert [(one.instance_id, one.status) for one in states.instance_status] == [(made, "Running")]


def test_groups_keys_and_the_interface(
    ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    [made] = run(ecs, place)
    clock.later(2)
    other = ecs.create_security_group(
        m.CreateSecurityGroupRequest(**R, vpc_id=place["vpc"])
    ).body.security_group_id
    ecs.join_security_group(m.JoinSecurityGroupRequest(instance_id=made, security_group_id=other))
    ecs.leave_security_group(m.LeaveSecurityGroupRequest(instance_id=made, security_group_id=place["group"]))
    with refused("InstanceLastSecurityGroup", 403):
        ecs.leave_security_group(m.LeaveSecurityGroupRequest(instance_id=made, security_group_id=other))
    ecs.create_key_pair(m.CreateKeyPairRequest(**R, key_pair_name="ops"))
    pair = {"key_pair_name": "ops", "instance_ids": f'["{made}"]'}
    said = ecs.attach_key_pair(m.AttachKeyPairRequest(**R, **pair)).body
    assert (said.fail_count, said.results.result[0].success) == ("0", "true")
    assert [one.instance_id for one in seen(ecs, key_pair_name="ops")] == [made]
    ecs.detach_key_pair(m.DetachKeyPairRequest(**R, **pair))
    assert seen(ecs, key_pair_name="ops") == []
    [nic] = ecs.describe_network_interfaces(
        m.DescribeNetworkInterfacesRequest(**R, instance_id=made)
    ).body.network_interface_sets.network_interface_set
    assert (nic.type, nic.status, nic.security_group_ids.security_group_id) == ("Primary", "InUse", [other])


def test_an_eip_is_told_and_keeps_the_instance(
    ecs: Ecs, vpc: Vpc, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    [made] = run(ecs, place)
    eip = vpc.allocate_eip_address(v.AllocateEipAddressRequest(**R)).body
    clock.later(2)
    held = v.AssociateEipAddressRequest(**R, allocation_id=eip.allocation_id, instance_id=made)
    vpc.associate_eip_address(held)
    [one] = seen(ecs)
    assert (one.eip_address.ip_address, one.eip_address.allocation_id) == (eip.eip_address, eip.allocation_id)
    assert seen(ecs, eip_addresses=f'["{eip.eip_address}"]')[0].instance_id == made


def test_what_is_taken_is_not_given_twice_across_a_restart(
    ecs: Ecs, place: dict[str, str], moving: Cloud, refused: Refused
) -> None:
    run(ecs, place, private_ip_address="10.0.1.9")
    with refused("InvalidPrivateIpAddress.Duplicated", 403):
        run(ecs, place, private_ip_address="10.0.1.9")
    with refused("InvalidPrivateIpAddress.Malformed"):
        run(ecs, place, private_ip_address="10.0.2.9")
    with refused("InvalidPrivateIpAddress.Malformed"):
        run(ecs, place, private_ip_address="10.0.1.253")


@pytest.mark.parametrize(
    ("wrong", "code", "status_code"),
    [
        ({"instance_type": "ecs.none.large"}, "InvalidInstanceType.ValueNotSupported", 404),
        ({"image_id": "none.vhd"}, "InvalidImageId.NotFound", 404),
        ({"v_switch_id": None}, "MissingParameter", 400),
        ({"v_switch_id": "vsw-none"}, "InvalidVswitchID.NotFound", 404),
        ({"security_group_id": None}, "MissingParameter", 400),
        ({"security_group_id": "sg-none"}, "InvalidSecurityGroupId.NotFound", 404),
        ({"key_pair_name": "none"}, "InvalidKeyPair.NotFound", 404),
        ({"password": "short"}, "InvalidPassword.Malformed", 400),
        ({"user_data": "no base64!"}, "InvalidUserData.Base64FormatInvalid", 400),
        ({"user_data": base64.b64encode(bytes(32769)).decode()}, "InvalidUserData.SizeExceeded", 400),
        ({"instance_name": "http://x"}, "InvalidInstanceName.Malformed", 400),
        (
            {"system_disk": m.RunInstancesRequestSystemDisk(category="floppy")},
            "InvalidDiskCategory.ValueNotSupported",
            400,
        ),
        ({"data_disk": [m.RunInstancesRequestDataDisk(size=1)]}, "InvalidDiskSize.NotSupported", 400),
        ({"launch_template_id": "lt-1"}, "UnsupportedParameter.Emulator", 400),
        ({"zone_id": "cn-hangzhou-b"}, "InvalidParameter.NotMatch", 400),
    ],
)
def test_each_wrong_input_has_alibaba_s_own_code(
    ecs: Ecs, place: dict[str, str], refused: Refused, wrong: dict[str, Any], code: str, status_code: int
) -> None:
    with refused(code, status_code):
        run(ecs, place, **wrong)
    assert seen(ecs) == []


def test_one_token_makes_one_instance(ecs: Ecs, place: dict[str, str]) -> None:
    first = run(ecs, place, client_token="t", image_id=IMAGE)
    assert run(ecs, place, client_token="t", image_id=IMAGE) == first
    assert len(seen(ecs)) == 1


def test_one_without_a_role_is_told_as_such(ecs: Ecs, place: dict[str, str]) -> None:
    [made] = run(ecs, place)
    asked = m.DescribeInstanceRamRoleRequest(**R, instance_ids=f'["{made}"]')
    [one] = ecs.describe_instance_ram_role(asked).body.instance_ram_role_sets.instance_ram_role_set
    assert (one.instance_id, one.ram_role_name) == (made, ""), "or the official provider would not find it"


def test_a_role_is_put_on_and_taken_off(
    ecs: Ecs, place: dict[str, str], cloud: Cloud, refused: Refused
) -> None:
    [made] = run(ecs, place)
    role(cloud, "r")
    role(cloud, "functions", "fc.aliyuncs.com")
    which: dict[str, Any] = {**R, "instance_ids": f'["{made}"]'}

    def has() -> str:
        asked = m.DescribeInstanceRamRoleRequest(**which)
        [one] = ecs.describe_instance_ram_role(asked).body.instance_ram_role_sets.instance_ram_role_set
        return str(one.ram_role_name)

    def attach(name: str = "r", **more: Any) -> Any:
        asked = m.AttachInstanceRamRoleRequest(**which, ram_role_name=name, **more)
        return ecs.attach_instance_ram_role(asked).body

    def detach() -> Any:
        return ecs.detach_instance_ram_role(m.DetachInstanceRamRoleRequest(**which, ram_role_name="r")).body

    for name, code, http in (("none", "NotFound", 404), ("functions", "NotEcsRole", 403)):
        with refused(f"InvalidRamRole.{code}", http):
            attach(name)
        with refused(f"InvalidRamRole.{code}", http):
            run(ecs, place, ram_role_name=name)
    with refused("MalformedPolicyDocument", 400):
        attach(policy="{")
    rights = {"Action": "oss:Get*", "Effect": "Allow", "Resource": "*"}
    policy = json.dumps({"Version": "1", "Statement": [rights]})
    assert (attach(policy=policy).fail_count, has()) == (0, "r")
    again = attach()
    [one] = again.attach_instance_ram_role_results.attach_instance_ram_role_result
    assert (again.fail_count, one.success, one.code) == (1, False, "InvalidInstance.RamRoleExist")
    assert (detach().fail_count, has()) == (0, "")
    [one] = detach().detach_instance_ram_role_results.detach_instance_ram_role_result
    assert (one.success, one.code) == (False, "InvalidInstance.RamRoleNotFound")
    with refused("InvalidInstanceId.NotFound", 404):
        asked = m.AttachInstanceRamRoleRequest(**R, instance_ids='["i-no"]', ram_role_name="r")
        ecs.attach_instance_ram_role(asked)


def test_one_with_bandwidth_has_a_public_address_of_its_own(
    ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    made = run(ecs, place, internet_max_bandwidth_out=5, amount=2)
    clock.later(5)
    addresses = {one.instance_id: one.public_ip_address.ip_address[0] for one in seen(ecs)}
    assert addresses.keys() == set(made) and len(set(addresses.values())) == 2
    assert all(IPv4Address(one) in IPv4Network("198.18.64.0/20") for one in addresses.values())
    with refused("AllocatedAlready", 403):
        ecs.allocate_public_ip_address(m.AllocatePublicIpAddressRequest(instance_id=made[0]))
    ecs.stop_instance(m.StopInstanceRequest(instance_id=made[0]))
    clock.later(5)
    assert {one.instance_id: one.public_ip_address.ip_address[0] for one in seen(ecs)} == addresses
    [bare] = run(ecs, place)
    clock.later(5)
    assert seen(ecs, instance_ids=f'["{bare}"]')[0].public_ip_address.ip_address == []
    asked = m.AllocatePublicIpAddressRequest(instance_id=bare)
    given = ecs.allocate_public_ip_address(asked).body.ip_address
    assert seen(ecs, instance_ids=f'["{bare}"]')[0].public_ip_address.ip_address == [given]
    assert given not in addresses.values()


def test_a_console_that_waits_for_the_engine(
    ecs: Ecs, cloud: Cloud, place: dict[str, str], refused: Refused
) -> None:
    made = run(ecs, place)[0]
    asked, answers = threading.Event(), threading.Event()

    def engine(_: str) -> bytes:
        asked.set()
        assert answers.wait(20)
        raise ConnectionError("the Docker engine does not answer: timed out")

    cloud.console = engine
    request = m.GetInstanceConsoleOutputRequest(**R, instance_id=made)
    with ThreadPoolExecutor(1) as beside:
        console = beside.submit(ecs.get_instance_console_output, request)
        assert asked.wait(20)
        ecs.describe_instances(m.DescribeInstancesRequest(**R))  # nobody waits with it
        assert not console.done()
        answers.set()
        with refused("ServiceUnavailable", 503):
            console.result()


def test_without_machines_nothing_is_on_a_console(ecs: Ecs, place: dict[str, str], refused: Refused) -> None:
    [made] = run(ecs, place)
    body = ecs.get_instance_console_output(m.GetInstanceConsoleOutputRequest(**R, instance_id=made)).body
    assert (body.instance_id, body.console_output) == (made, "") and body.last_update_time
    with refused("InvalidInstanceId.NotFound", 404):
        ecs.get_instance_console_output(m.GetInstanceConsoleOutputRequest(**R, instance_id="i-no"))
