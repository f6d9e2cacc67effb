"""A key pair on machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from offline.alicloud import power
from offline.alicloud.api import Answer
from offline.alicloud.field import Property, length, pick, same_items, together
from offline.alicloud.lifecycle import CloudResource, pair
from offline.alicloud.work import Creation, Deletion, Work
from offline.provider.resource import CheckFailure, Field, Inputs, ResourceError, State

_FORM = 'NAME:["INSTANCE","INSTANCE"]'
_PAGE = 100


class EcsKeyPairAttachment(CloudResource):
    """alicloud:ecs/ecsKeyPairAttachment:EcsKeyPairAttachment. Its id is NAME:["INSTANCE", ...].

    A machine has the key after its next start; `force` starts it again at once.
    """

    type: ClassVar[str] = "alicloud:ecs/ecsKeyPairAttachment:EcsKeyPairAttachment"
    product = "ecs"
    noun = "attachment of a key pair"
    attachment = True
    id_parameter = "KeyPairName"
    late = frozenset({"force"})
    fields: ClassVar[Mapping[str, Field]] = {
        "force": Property(replace=True),
        "instanceIds": Property(replace=True, unordered=True, same=same_items),
        "keyName": Property(
            read="KeyPairName",
            computed=True,
            replace=True,
            deprecated=True,
            conflicts=("keyPairName",),
            valid=length(2, 128),
        ),
        "keyPairName": Property(read="KeyPairName", computed=True, replace=True, valid=length(2, 128)),
    }
    creation = Creation(action="AttachKeyPair", id="", seconds=300)
    deletion = Deletion(action="DetachKeyPair")

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        return list(together(("keyPairName", "keyName"), inputs, most=2))

    def make(self, work: Work, inputs: Inputs) -> str:
        name = inputs.get("keyPairName") or inputs["keyName"]
        machines = power.ids(*sorted(inputs["instanceIds"]))
        work(self.creation.action, {"KeyPairName": name, "InstanceIds": machines})
        return f"{name}:{machines}"

    def after(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:  # noqa: ARG002
        if inputs.get("force"):
            power.reboot(work, *inputs["instanceIds"])

    def describe(self, work: Work, id: str) -> Answer | None:
        name, machines = _parts(id)
        found: list[Answer] = []
        for i in range(0, len(machines), _PAGE):
            part = power.ids(*machines[i : i + _PAGE])
            asked = {"KeyPairName": name, "InstanceIds": part, "PageSize": _PAGE}
            found += pick(work.found("DescribeInstances", asked), "Instances.Instance") or []
        have = {one["InstanceId"] for one in found if one.get("KeyPairName") == name}
        return {"KeyPairName": name} if have == set(machines) else None

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | {"instanceIds": _parts(id)[1]}

    def unmade(self, id: str, state: State) -> dict[str, Any]:  # noqa: ARG002
        name, machines = _parts(id)
        return {"KeyPairName": name, "InstanceIds": power.ids(*machines)}


def _parts(id: str) -> tuple[str, list[str]]:
    name, machines = pair(id, _FORM)
    try:
        found = json.loads(machines)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ResourceError(f"'{id}' is no id of an attachment", fix=f"it is {_FORM}")
    return name, found
