"""A machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from offline.alicloud import power
from offline.alicloud.api import Answer, Refused, client_token
from offline.alicloud.disk import apply_policy, disks_of, system_disk
from offline.alicloud.field import failures, sent
from offline.alicloud.instance_fields import (
    DATA_DISK,
    DATA_DISK_PARAMETERS,
    FIELDS,
    SYSTEM_DISK,
    encoded,
    spelled,
)
from offline.alicloud.instance_state import state_of
from offline.alicloud.lifecycle import CloudResource, tag, without
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import UNKNOWN, CheckFailure, Context, Field, Inputs, State

_ANOTHER: Final = 'let another instance take its place: replace_on_changes=["{}"] among its options'
_REQUIRED: Final = ("imageId", "instanceType", "securityGroups", "vswitchId")
_AT_THE_NEXT_START: Final = frozenset({"hostName", "keyName", "password", "userData"})
_SO_IT_IS: Final = ("InvalidInstanceId.AlreadyExists", "InstanceNotInSecurityGroup")
_METADATA: Final = {"httpEndpoint": "HttpEndpoint", "httpTokens": "HttpTokens"}
_MAINTENANCE: Final = frozenset({"maintenanceAction", "maintenanceNotify", "maintenanceTime"})
_DISK_TEXTS: Final = {"systemDiskDescription": "Description", "systemDiskName": "DiskName"}


class Instance(CloudResource):
    """alicloud:ecs/instance:Instance."""

    type: ClassVar[str] = "alicloud:ecs/instance:Instance"
    product = "ecs"
    noun = "instance"
    id_parameter = "InstanceId"
    tag_kind = "instance"
    ready = ("Running", "Stopped")
    fresh = ("Running",)
    update_seconds = 600.0
    fields: ClassVar[Mapping[str, Field]] = FIELDS
    late = frozenset({"status", "systemDiskAutoSnapshotPolicyId", "volumeTags", *_MAINTENANCE})
    rigid: ClassVar[Mapping[str, str]] = {
        "imageId": "its system disk would be wiped, and user data not run again; "
        f"{_ANOTHER.format('imageId')}, or for all instances the provider's "
        'features: {"ecsInstance": {"replaceOnImageUpdate": true}}',
        **{
            name: _ANOTHER.format(name)
            for name in (
                "autoReleaseTime",
                "internetChargeType",
                "internetMaxBandwidthIn",
                "internetMaxBandwidthOut",
                "ipv6Addresses",
                "privateIp",
                "roleName",
                "vswitchId",
            )
        },
    }
    creation = Creation(
        action="RunInstances", id="", again=("IncorrectVSwitchStatus",), fixed={"Amount": 1}, seconds=600
    )
    changes = (
        Change(
            action="JoinResourceGroup",
            properties={"resourceGroupId": "ResourceGroupId"},
            id="ResourceId",
            fixed={"ResourceType": "instance"},
        ),
        Change(
            action="ModifyInstanceAttribute",
            properties={
                "creditSpecification": "CreditSpecification",
                "deletionProtection": "DeletionProtection",
                "description": "Description",
                "hostName": "HostName",
                "instanceName": "InstanceName",
                "password": "Password",
                "userData": "UserData",
            },
            again=("IncorrectInstanceStatus",),
        ),
    )
    deletion = Deletion(
        action="DeleteInstance",
        fixed={"Force": True},
        again=("IncorrectInstanceStatus", "DependencyViolation.RouteEntry", "LastTokenProcessing"),
        seconds=1200,
    )

    # --- what is wanted

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        found = [
            CheckFailure(property=name, reason="is required")
            for name in _REQUIRED
            if name not in inputs or inputs[name] in ("", [])
        ]
        for i, disk in enumerate(_known_list(inputs.get("dataDisks"))):
            found += [
                CheckFailure(property=f"dataDisks[{i}].{one.property}", reason=one.reason)
                for one in failures(DATA_DISK, disk)
            ]
        return found

    def table(self, ctx: Context, state: State, inputs: Inputs) -> Mapping[str, Field]:
        def now(name: str) -> Any:
            return inputs.get(name, state.get(name))

        idle = set()
        if not now("internetMaxBandwidthOut"):  # it reaches nothing public
            idle |= {"internetChargeType", "internetMaxBandwidthIn"}
        if now("systemDiskCategory") != "cloud_essd":
            idle.add("systemDiskPerformanceLevel")
        if not inputs.get("password"):  # it cannot be taken away, only changed
            idle.add("password")
        if not inputs.get("maintenanceTime"):  # nor a window; another one can be chosen
            idle.add("maintenanceTime")
        fields = without(self.fields, *idle)
        image = inputs.get("imageId")
        if ctx.engine.settings.replaces_on_image and image is not UNKNOWN and state.get("imageId"):
            fields["imageId"] = replace(fields["imageId"], replace=True)
        return fields

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        given = super().parameters(inputs)
        if "UserData" in given:
            given["UserData"] = encoded(given["UserData"])
        system = {
            parameter: inputs[name]
            for name, parameter in SYSTEM_DISK.items()
            if name in inputs and sent(self.fields[name], inputs[name])  # type: ignore[arg-type]
        }
        if system:
            given["SystemDisk"] = system
        if disks := inputs.get("dataDisks"):
            given["DataDisk"] = [_data_disk(disk) for disk in disks]
        return given

    def parameter(self, name: str, value: Any) -> Any:
        return encoded(value) if name == "userData" else value

    # --- what there is

    def make(self, work: Work, inputs: Inputs) -> str:
        given = {**self.creation.fixed, **self.parameters(inputs), "ClientToken": client_token()}
        if inputs.get("tags"):
            given["Tag"] = [{"Key": key, "Value": value} for key, value in sorted(inputs["tags"].items())]
        answer = work(self.creation.action, given, again=self.creation.again)
        return str(answer["InstanceIdSets"]["InstanceIdSet"][0])

    def describe(self, work: Work, id: str) -> Answer | None:
        return power.instance(work, id)

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | state_of(work, id, answer)

    def _known(self, work: Work, id: str, found: Answer, before: Mapping[str, Any]) -> State:
        known = super()._known(work, id, found, before)
        known["userData"] = spelled(known.get("userData", ""), str(before.get("userData") or ""))
        return known

    # --- changes

    def after(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:
        if "volumeTags" in changed:
            disks = [str(one["DiskId"]) for one in disks_of(work, id)]
            tag(work, "disk", disks, old.get("volumeTags") or {}, inputs["volumeTags"])
        if "securityGroups" in changed:
            self._regroup(work, id, inputs["securityGroups"])
        if any(name.startswith("systemDisk") for name in changed):
            self._change_disk(work, id, inputs, changed)
        if changed & _METADATA.keys():
            given = {parameter: inputs.get(name, old.get(name)) for name, parameter in _METADATA.items()}
            work("ModifyInstanceMetadataOptions", {"InstanceId": id, **given})
        if changed & _MAINTENANCE:
            work("ModifyInstanceMaintenanceAttributes", {"InstanceId": [id], **_maintenance(inputs)})
        if "keyName" in changed:
            if gone := (self.describe(work, id) or {}).get("KeyPairName"):
                work("DetachKeyPair", {"KeyPairName": gone, "InstanceIds": power.ids(id)})
            work("AttachKeyPair", {"KeyPairName": inputs["keyName"], "InstanceIds": power.ids(id)})
        self._power(work, id, old, inputs, changed)

    def _power(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:
        """Stop it for what needs that, and let it end up as it is wanted."""
        restart = changed & _AT_THE_NEXT_START and old.get("status") != "Stopped"
        if not (restart or changed & {"instanceType", "status"}):
            return
        wanted = inputs.get("status") or ("Stopped" if old.get("status") == "Stopped" else "Running")
        mode = inputs.get("stoppedMode", "") if wanted == "Stopped" else ""
        if restart or "instanceType" in changed or wanted == "Stopped":
            power.stop(work, id, mode="" if mode == "Not-applicable" else mode)
        try:
            if "instanceType" in changed:
                self._change_type(work, id, inputs["instanceType"])
        finally:  # a type that is not to be had must not leave it down
            if wanted == "Running":
                power.start(work, id)

    def _change_type(self, work: Work, id: str, kind: str) -> None:
        work("ModifyInstanceSpec", {"InstanceId": id, "InstanceType": kind, "ClientToken": client_token()})
        work.patience.until(
            lambda: True if (self.describe(work, id) or {}).get("InstanceType") == kind else None,
            f"instance {id} to be of the type {kind}",
        )

    def _change_disk(self, work: Work, id: str, inputs: Inputs, changed: set[str]) -> None:
        disk = system_disk(work, id)
        if disk is None:
            return
        if "systemDiskPerformanceLevel" in changed:
            level = {"PerformanceLevel": inputs["systemDiskPerformanceLevel"]}
            work("ModifyDiskSpec", {"DiskId": disk["DiskId"], **level}, again=("DiskInCoolingPeriod",))
        if "systemDiskSize" in changed:
            stopped = (self.describe(work, id) or {}).get("Status") == "Stopped"
            given = {"NewSize": inputs["systemDiskSize"], "Type": "offline" if stopped else "online"}
            work("ResizeDisk", {"DiskId": disk["DiskId"], **given, "ClientToken": client_token()})
        if "systemDiskAutoSnapshotPolicyId" in changed:
            apply_policy(work, inputs["systemDiskAutoSnapshotPolicyId"], disk["DiskId"])
        if texts := {_DISK_TEXTS[name]: inputs[name] for name in changed & _DISK_TEXTS.keys()}:
            work("ModifyDiskAttribute", {"DiskId": disk["DiskId"], **texts})

    def _regroup(self, work: Work, id: str, wanted: Sequence[str]) -> None:
        """It is always in one group at the least, and never in more than there were or will be."""
        have = ((self.describe(work, id) or {}).get("SecurityGroupIds") or {}).get("SecurityGroupId") or []
        gone = [("LeaveSecurityGroup", group) for group in have if group not in wanted]
        new = [("JoinSecurityGroup", group) for group in wanted if group not in have]
        steps = gone + new
        if gone and len(gone) == len(have):  # the last one is left after the first new one is joined
            steps = [*gone[1:], *new[:1], gone[0], *new[1:]]
        for action, group in steps:
            try:
                work(action, {"InstanceId": id, "SecurityGroupId": group})
            except Refused as refused:  # the answer to a try before this one was lost
                if refused.code not in _SO_IT_IS:
                    raise


def _known_list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _data_disk(disk: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {name: one.default for name, one in DATA_DISK.items() if one.default is not None}
    full = {**defaults, **disk}
    if full["category"] != "cloud_essd":
        full.pop("performanceLevel", None)  # the official provider does not send it either
    return {
        parameter: full[name]
        for name, parameter in DATA_DISK_PARAMETERS.items()
        if full.get(name) not in (None, "")
    }


def _maintenance(inputs: Inputs) -> dict[str, Any]:
    """All three: the action takes what is missing for a wish, too."""
    given: dict[str, Any] = {"NotifyOnMaintenance": bool(inputs.get("maintenanceNotify"))}
    if action := inputs.get("maintenanceAction"):
        given["ActionOnMaintenance"] = action
    if window := inputs.get("maintenanceTime"):
        given["MaintenanceWindow"] = [
            {"StartTime": window.get("startTime"), "EndTime": window.get("endTime")}
        ]
    return given
