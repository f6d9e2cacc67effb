"""RAM roles of instances. An instance has one at most; the role has to trust ECS."""

from __future__ import annotations

from emulator.api.call import Answer, Call, JsonList, Request
from emulator.api.paging import Numbered, numbered
from emulator.services.ecs import instances
from emulator.services.ecs.instance_roles import must_serve
from emulator.services.ecs.model_instances import Instance
from emulator.services.ecs.service import ECS
from emulator.services.ram.documents import check_policy


class AttachInstanceRamRole(Request):
    instance_ids: JsonList
    ram_role_name: str
    policy: str = ""
    """What of the role's rights this attachment leaves. Kept; rights are not looked at here."""


@ECS.action
def attach_instance_ram_role(call: Call, given: AttachInstanceRamRole) -> Answer:
    must_serve(call.cloud, given.ram_role_name)
    if given.policy:
        check_policy(given.policy)
    return _roles(call, given, "Attach", "", policy=given.policy)


class DetachInstanceRamRole(Request):
    instance_ids: JsonList
    ram_role_name: str


@ECS.action
def detach_instance_ram_role(call: Call, given: DetachInstanceRamRole) -> Answer:
    return _roles(call, given, "Detach", given.ram_role_name)


def _roles(
    call: Call,
    given: AttachInstanceRamRole | DetachInstanceRamRole,
    verb: str,
    before: str,
    *,
    policy: str = "",
) -> Answer:
    """A role on each instance, or off it. before: what an instance must have; each one's result is told."""
    results = []
    for id_ in given.instance_ids:
        one = instances.find(call.cloud, call.region, id_)
        if fits := one.role == before:
            role = given.ram_role_name if verb == "Attach" else ""
            call.cloud.store.put(one.but(role=role, role_policy=policy))
        why = {
            "Attach": ("InvalidInstance.RamRoleExist", "The instance has a RAM role already."),
            "Detach": ("InvalidInstance.RamRoleNotFound", "The instance does not have this RAM role."),
        }[verb]
        code, message = ("200", "success") if fits else why
        results.append({"InstanceId": id_, "Success": fits, "Code": code, "Message": message})
    failed = sum(not one["Success"] for one in results)
    word = f"{verb}InstanceRamRoleResult"
    return {
        "RamRoleName": given.ram_role_name,
        "TotalCount": len(results),
        "FailCount": failed,
        f"{word}s": {word: results},
    }


class DescribeInstanceRamRole(Numbered):
    instance_ids: JsonList = ()
    ram_role_name: str = ""


@ECS.action
def describe_instance_ram_role(call: Call, given: DescribeInstanceRamRole) -> Answer:
    found = [
        one
        for one in call.cloud.store.all(Instance, call.region)
        if (not given.instance_ids or one.id in given.instance_ids) and given.ram_role_name in ("", one.role)
    ]
    part, _ = numbered(given, found)
    sets = [{"InstanceId": one.id, "RamRoleName": one.role} for one in part]
    return {
        "RegionId": call.region,
        "TotalCount": len(found),
        "InstanceRamRoleSets": {"InstanceRamRoleSet": sets},
    }
