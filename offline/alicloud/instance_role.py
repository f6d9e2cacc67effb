"""A RAM role on machines: what runs there asks the metadata service for its keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from offline.alicloud import power
from offline.alicloud.api import Answer
from offline.alicloud.field import Property, is_json, pick, same_document, same_items
from offline.alicloud.lifecycle import CloudResource, pair
from offline.alicloud.work import Creation, Deletion, Work
from offline.provider.resource import CheckFailure, Field, Inputs, ResourceError, State

_PAGE = 50


class _OnInstances(CloudResource):
    """A role on instances. Each has one at most."""

    product = "ecs"
    noun = "attachment of a role"
    attachment = True
    id_parameter = "RamRoleName"
    creation = Creation(action="AttachInstanceRamRole", id="")
    deletion = Deletion(action="DetachInstanceRamRole")

    def parts(self, id: str) -> tuple[str, list[str]]:
        """The role and the instances that an id is made of. Raises ResourceError."""
        raise NotImplementedError

    def attach(self, work: Work, id: str, **more: str) -> str:
        """Put the role on. What was put on by an attempt whose answer was lost is not a mistake."""
        role, machines = self.parts(id)
        given = {"RamRoleName": role, "InstanceIds": power.ids(*machines), **more}
        answer = work(self.creation.action, given)
        results = pick(answer, "AttachInstanceRamRoleResults.AttachInstanceRamRoleResult") or []
        have = self._holders(work, role, machines)
        failed = [
            f"{one['InstanceId']}: {one['Message']} ({one['Code']})"
            for one in results
            if not one["Success"] and one["InstanceId"] not in have
        ]
        if failed:
            raise ResourceError(
                f"role {role} could not be attached to {'; '.join(failed)}",
                fix="take the role off that the instance has, or leave the instance out",
            )
        return id

    def describe(self, work: Work, id: str) -> Answer | None:
        role, machines = self.parts(id)
        have = self._holders(work, role, machines)
        return {"RamRoleName": role, "InstanceIds": sorted(have)} if have else None

    def _holders(self, work: Work, role: str, machines: list[str]) -> set[str]:
        found: list[Answer] = []
        for i in range(0, len(machines), _PAGE):
            part = power.ids(*machines[i : i + _PAGE])
            asked = {"RamRoleName": role, "InstanceIds": part, "PageSize": _PAGE}
            answer = work.found("DescribeInstanceRamRole", asked) or {}
            found += pick(answer, "InstanceRamRoleSets.InstanceRamRoleSet") or []
        return {one["InstanceId"] for one in found if one.get("RamRoleName") == role}

    def unmade(self, id: str, state: State) -> dict[str, Any]:  # noqa: ARG002
        role, machines = self.parts(id)
        return {"RamRoleName": role, "InstanceIds": power.ids(*machines)}


class RamRoleAttachment(_OnInstances):
    """alicloud:ecs/ramRoleAttachment:RamRoleAttachment. Its id is INSTANCE:ROLE."""

    type: ClassVar[str] = "alicloud:ecs/ramRoleAttachment:RamRoleAttachment"
    fields: ClassVar[Mapping[str, Field]] = {
        "instanceId": Property(replace=True),
        "policy": Property(valid=is_json, replace=True, same=same_document),
        "ramRoleName": Property(read="RamRoleName", replace=True),
    }

    def parts(self, id: str) -> tuple[str, list[str]]:
        machine, role = pair(id, "INSTANCE:ROLE")
        return role, [machine]

    def make(self, work: Work, inputs: Inputs) -> str:
        more = {"Policy": inputs["policy"]} if inputs.get("policy") else {}
        return self.attach(work, f"{inputs['instanceId']}:{inputs['ramRoleName']}", **more)

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | {"instanceId": answer["InstanceIds"][0]}


class RoleAttachment(_OnInstances):
    """alicloud:ram/roleAttachment:RoleAttachment. Its id is ROLE:["INSTANCE", ...]."""

    type: ClassVar[str] = "alicloud:ram/roleAttachment:RoleAttachment"
    fields: ClassVar[Mapping[str, Field]] = {
        "instanceIds": Property(read="InstanceIds", replace=True, unordered=True, same=same_items),
        "roleName": Property(read="RamRoleName", replace=True),
    }

    def parts(self, id: str) -> tuple[str, list[str]]:
        form = 'ROLE:["INSTANCE","INSTANCE"]'
        role, machines = pair(id, form)
        try:
            found = json.loads(machines)
        except ValueError:
            found = None
        if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
            raise ResourceError(f"'{id}' is no id of an attachment", fix=f"it is {form}")
        return role, found

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        if inputs.get("instanceIds") == []:
            return [CheckFailure(property="instanceIds", reason="names no instance")]
        return []

    def make(self, work: Work, inputs: Inputs) -> str:
        return self.attach(work, f"{inputs['roleName']}:{power.ids(*sorted(inputs['instanceIds']))}")
