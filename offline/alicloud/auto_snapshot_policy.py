"""A policy of automatic snapshots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer, Refused, Unreached
from offline.alicloud.field import Property, same_items
from offline.alicloud.lifecycle import TAGS, CloudResource
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import Field, Inputs, State

_LISTS: Final = {
    "repeatWeekdays": "repeatWeekdays",
    "timePoints": "timePoints",
    "targetCopyRegions": "TargetCopyRegions",
}
_BY_TAGS: Final = "policies are applied to disks one by one here, with EcsAutoSnapshotPolicyAttachment"


class AutoSnapshotPolicy(CloudResource):
    """alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy."""

    type: ClassVar[str] = "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy"
    product = "ecs"
    noun = "snapshot policy"
    id_parameter = "autoSnapshotPolicyId"
    tag_kind = "snapshotpolicy"
    fields: ClassVar[Mapping[str, Field]] = {
        "associationType": Property(refused=_BY_TAGS),
        "autoSnapshotPolicyName": Property(
            create="autoSnapshotPolicyName",
            read="AutoSnapshotPolicyName",
            computed=True,
            conflicts=("name",),
        ),
        "copiedSnapshotsRetentionDays": Property(
            create="CopiedSnapshotsRetentionDays", read="CopiedSnapshotsRetentionDays", computed=True
        ),
        "copyEncryptionConfiguration": Property(nested={"encrypted": Property(), "kmsKeyId": Property()}),
        "enableCrossRegionCopy": Property(
            create="EnableCrossRegionCopy", read="EnableCrossRegionCopy", flag=True
        ),
        "name": Property(
            create="autoSnapshotPolicyName", read="AutoSnapshotPolicyName", computed=True, deprecated=True
        ),
        "repeatWeekdays": Property(),
        "resourceGroupId": Property(create="ResourceGroupId", read="ResourceGroupId", computed=True),
        "retentionDays": Property(create="retentionDays", read="RetentionDays"),
        "tags": TAGS,
        "targetCopyRegions": Property(unordered=True, same=same_items),
        "targetTags": Property(refused=_BY_TAGS),
        "timePoints": Property(),
    }
    creation = Creation(action="CreateAutoSnapshotPolicy", id="AutoSnapshotPolicyId", token=False)
    changes = (
        Change(
            action="ModifyAutoSnapshotPolicyEx",
            properties={
                "autoSnapshotPolicyName": "autoSnapshotPolicyName",
                "name": "autoSnapshotPolicyName",
                "copiedSnapshotsRetentionDays": "CopiedSnapshotsRetentionDays",
                "copyEncryptionConfiguration": "CopyEncryptionConfiguration",
                "enableCrossRegionCopy": "EnableCrossRegionCopy",
                "retentionDays": "retentionDays",
                **_LISTS,
            },
        ),
        Change(
            action="JoinResourceGroup",
            properties={"resourceGroupId": "ResourceGroupId"},
            id="ResourceId",
            fixed={"ResourceType": "snapshotpolicy"},
        ),
    )
    deletion = Deletion(action="DeleteAutoSnapshotPolicy")

    def make(self, work: Work, inputs: Inputs) -> str:
        before = self._ids(work, inputs)
        try:
            return super().make(work, inputs)
        except (Unreached, Refused) as error:
            if isinstance(error, Refused) and not error.undecided:
                raise
            made = self._ids(work, inputs) - before  # names are not unique, and there is no client token
            if len(made) != 1:
                raise
            return made.pop()

    @staticmethod
    def _ids(work: Work, inputs: Inputs) -> set[str]:
        asked: dict[str, Any] = {"PageSize": 100}
        if name := inputs.get("autoSnapshotPolicyName", inputs.get("name")):
            asked["AutoSnapshotPolicyName"] = name
        answer = work("DescribeAutoSnapshotPolicyEx", asked)
        found = (answer.get("AutoSnapshotPolicies") or {}).get("AutoSnapshotPolicy") or []
        return {str(one["AutoSnapshotPolicyId"]) for one in found}

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        given = super().parameters(inputs)
        for name, parameter in (
            _LISTS | {"copyEncryptionConfiguration": "CopyEncryptionConfiguration"}
        ).items():
            if inputs.get(name):
                given[parameter] = self.parameter(name, inputs[name])
        return given

    def parameter(self, name: str, value: Any) -> Any:
        if name in _LISTS:
            return json.dumps(list(value or ()))
        if name == "copyEncryptionConfiguration":
            given = {
                "Encrypted": (value or {}).get("encrypted", False),
                "KMSKeyId": (value or {}).get("kmsKeyId"),
            }
            return {key: one for key, one in given.items() if one is not None}
        return value

    def describe(self, work: Work, id: str) -> Answer | None:
        answer = work.found("DescribeAutoSnapshotPolicyEx", {"AutoSnapshotPolicyId": id}) or {}
        found = (answer.get("AutoSnapshotPolicies") or {}).get("AutoSnapshotPolicy") or []
        return next((one for one in found if one["AutoSnapshotPolicyId"] == id), None)

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        encryption = answer.get("CopyEncryptionConfiguration") or {}
        return super().state_of(work, id, answer) | {
            "createTime": answer.get("CreationTime"),
            "regionId": answer.get("RegionId"),
            "status": answer.get("Status"),
            "repeatWeekdays": json.loads(answer.get("RepeatWeekdays") or "[]"),
            "timePoints": json.loads(answer.get("TimePoints") or "[]"),
            "targetCopyRegions": json.loads(answer.get("TargetCopyRegions") or "[]"),
            "copyEncryptionConfiguration": {
                "encrypted": encryption["Encrypted"],
                "kmsKeyId": encryption.get("KMSKeyId") or "",
            }
            if encryption.get("Encrypted")
            else None,
        }
