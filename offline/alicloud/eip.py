"""A public address, and the machine that it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer
from offline.alicloud.field import Property, one_of
from offline.alicloud.lifecycle import TAGS, CloudResource, pair
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import Field, Inputs, State

_BUSY: Final = (
    "OperationConflict",
    "LastTokenProcessing",
    "IncorrectStatus",
    "IncorrectEipStatus",
    "TaskConflict",
    "VPC_TASK_CONFLICT",
)
_ASSOCIATION_BUSY: Final = (
    *_BUSY,
    "OperationFailed.LastTokenProcessing",
    "InvalidBindingStatus",
    "IncorrectInstanceStatus",
    "InvalidStatus.EcsStatusNotSupport",
    "InvalidStatus.InstanceHasBandWidth",
    "InvalidStatus.EniStatusNotSupport",
    "OperationFailed.EcsMigrating",
)
_LOGS: Final = "the fine-grained monitor writes to the Log Service, which this plugin does not serve"
_CHARGES: Final = {"Subscription": "PrePaid", "PayAsYouGo": "PostPaid"}
_CHARGE_NAMES: Final = {"PrePaid": "Subscription", "PostPaid": "PayAsYouGo"}
_PAYMENTS: Final = one_of("Subscription", "PayAsYouGo", "PrePaid", "PostPaid")


def _same_payment(old: Any, new: Any) -> bool:
    return bool(_CHARGES.get(str(old), old) == _CHARGES.get(str(new), new))


class EipAddress(CloudResource):
    """alicloud:ecs/eipAddress:EipAddress."""

    type: ClassVar[str] = "alicloud:ecs/eipAddress:EipAddress"
    product = "vpc"
    noun = "EIP"
    id_parameter = "AllocationId"
    tag_kind = "EIP"
    ready = ("Available", "InUse")
    fields: ClassVar[Mapping[str, Field]] = {
        "activityId": Property(create="ActivityId"),
        "addressName": Property(create="Name", read="Name", computed=True, conflicts=("name",)),
        "allocationId": Property(create="InstanceId", read="AllocationId", computed=True, replace=True),
        "autoPay": Property(create="AutoPay", flag=True),
        "bandwidth": Property(create="Bandwidth", computed=True),
        "deletionProtection": Property(read="DeletionProtection", computed=True),
        "description": Property(create="Description", read="Description", computed=True),
        "highDefinitionMonitorLogStatus": Property(
            read="HDMonitorStatus",
            computed=True,
            replace=True,
            valid=lambda value: None if value == "OFF" else _LOGS,
        ),
        "instanceChargeType": Property(
            read="ChargeType",
            computed=True,
            replace=True,
            deprecated=True,
            valid=_PAYMENTS,
            same=_same_payment,
        ),
        "internetChargeType": Property(
            create="InternetChargeType",
            read="InternetChargeType",
            computed=True,
            replace=True,
            valid=one_of("PayByBandwidth", "PayByTraffic"),
        ),
        "ipAddress": Property(create="IpAddress", read="IpAddress", computed=True, replace=True),
        "isp": Property(
            create="ISP",
            read="ISP",
            computed=True,
            replace=True,
            valid=one_of(
                "BGP", "BGP_PRO", "ChinaTelecom", "ChinaUnicom", "ChinaMobile", "ChinaTelecom_L2",
                "ChinaUnicom_L2", "ChinaMobile_L2", "BGP_FinanceCloud", "BGP_International",
            ),
        ),
        "logProject": Property(refused=_LOGS),
        "logStore": Property(refused=_LOGS),
        "mode": Property(read="Mode", computed=True, valid=one_of("NAT", "BINDED", "MULTI_BINDED")),
        "name": Property(create="Name", read="Name", computed=True, deprecated=True),
        "netmode": Property(
            create="Netmode", read="Netmode", computed=True, replace=True, valid=one_of("public")
        ),
        "paymentType": Property(
            computed=True,
            replace=True,
            conflicts=("instanceChargeType",),
            valid=_PAYMENTS,
            same=_same_payment,
        ),
        "period": Property(
            create="Period",
            valid=lambda value: None
            if value in (*range(10), 12, 24, 36)
            else "must be from 1 to 9, or 12, 24, 36",
        ),
        "pricingCycle": Property(create="PricingCycle", valid=one_of("Month", "Year")),
        "publicIpAddressPoolId": Property(
            create="PublicIpAddressPoolId", read="PublicIpAddressPoolId", replace=True
        ),
        "resourceGroupId": Property(create="ResourceGroupId", read="ResourceGroupId", computed=True),
        "securityProtectionTypes": Property(
            create="SecurityProtectionTypes",
            read="SecurityProtectionTypes.SecurityProtectionType",
            replace=True,
        ),
        "tags": TAGS,
        "zone": Property(create="Zone", read="Zone", computed=True, replace=True),
    }  # fmt: skip
    creation = Creation(
        action="AllocateEipAddress",
        id="AllocationId",
        tags=False,
        again=(*_BUSY, "FrequentPurchase.EIP"),
    )
    changes = (
        Change(
            action="ModifyEipAddressAttribute",
            properties={
                "bandwidth": "Bandwidth",
                "description": "Description",
                "name": "Name",
                "addressName": "Name",
            },
            again=_BUSY,
        ),
        Change(
            action="MoveResourceGroup",
            properties={"resourceGroupId": "NewResourceGroupId"},
            id="ResourceId",
            fixed={"ResourceType": "EIP"},
        ),
        Change(
            action="DeletionProtection",
            properties={"deletionProtection": "ProtectionEnable"},
            id="InstanceId",
            fixed={"Type": "EIP"},
            late=True,
            token=True,
        ),
        Change(
            action="ModifyEipForwardMode",
            properties={"mode": "Mode"},
            id="InstanceId",
            late=True,
            token=True,
        ),
    )
    deletion = Deletion(action="ReleaseEipAddress", again=_BUSY)

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        given = super().parameters(inputs)
        if payment := inputs.get("paymentType", inputs.get("instanceChargeType")):
            given["InstanceChargeType"] = _CHARGES.get(payment, payment)
        if given.get("InstanceChargeType") == "PrePaid":
            months = inputs.get("period") or 1
            years = months > 9
            given["Period"] = months // 12 if years else months
            given.setdefault("PricingCycle", "Year" if years else "Month")
            given.setdefault("AutoPay", True)
        return given

    def describe(self, work: Work, id: str) -> Answer | None:
        return address_of(work, id)

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        charge = answer.get("ChargeType")
        return super().state_of(work, id, answer) | {
            "bandwidth": answer.get("EipBandwidth") or answer.get("Bandwidth"),
            "createTime": answer.get("AllocationTime"),
            "paymentType": _CHARGE_NAMES.get(str(charge), charge),
            "status": answer.get("Status"),
        }


class Eip(EipAddress):
    """alicloud:ecs/eip:Eip: the same under its name of before; the official provider serves both alike."""

    type: ClassVar[str] = "alicloud:ecs/eip:Eip"


class EipAssociation(CloudResource):
    """alicloud:ecs/eipAssociation:EipAssociation. Its id is EIP:INSTANCE."""

    type: ClassVar[str] = "alicloud:ecs/eipAssociation:EipAssociation"
    product = "vpc"
    noun = "association of an EIP"
    attachment = True
    id_parameter = "AllocationId"
    ready = ("InUse",)
    fields: ClassVar[Mapping[str, Field]] = {
        "allocationId": Property(create="AllocationId", read="AllocationId", replace=True),
        "force": Property(),
        "instanceId": Property(create="InstanceId", read="InstanceId", replace=True),
        "instanceType": Property(create="InstanceType", read="InstanceType", computed=True, replace=True),
        "mode": Property(
            create="Mode", read="Mode", computed=True, valid=one_of("NAT", "MULTI_BINDED", "BINDED")
        ),
        # Official: neither is computed. An answer has them nevertheless, and that is no difference.
        "privateIpAddress": Property(
            create="PrivateIpAddress", read="PrivateIpAddress", computed=True, replace=True
        ),
        "vpcId": Property(create="VpcId", read="VpcId", computed=True, replace=True),
    }
    creation = Creation(
        action="AssociateEipAddress", id="{allocationId}:{instanceId}", again=_ASSOCIATION_BUSY
    )
    changes = (
        Change(action="ModifyEipForwardMode", properties={"mode": "Mode"}, id="InstanceId", token=True),
    )
    deletion = Deletion(
        action="UnassociateEipAddress",
        token=True,
        again=(
            *_ASSOCIATION_BUSY,
            "IncorrectHaVipStatus",
            "InvalidIpStatus.HasBeenUsedBySnatTable",
            "InvalidIpStatus.HasBeenUsedByForwardEntry",
            "InvalidStatus.NotAllow",
            "InvalidStatus.SnatOrDnat",
        ),
    )

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        return {"InstanceType": _kind(inputs["instanceId"]), **super().parameters(inputs)}

    def named(self, id: str) -> str:
        return pair(id, "EIP:INSTANCE")[0]

    def describe(self, work: Work, id: str) -> Answer | None:
        address, instance = pair(id, "EIP:INSTANCE")
        found = address_of(work, address)
        return found if found and found.get("InstanceId") == instance else None

    def unmade(self, id: str, state: State) -> dict[str, Any]:
        address, instance = pair(id, "EIP:INSTANCE")
        given = {
            "AllocationId": address,
            "InstanceId": instance,
            "InstanceType": state.get("instanceType") or _kind(instance),
        }
        if state.get("privateIpAddress"):
            given["PrivateIpAddress"] = state["privateIpAddress"]
        return given | ({"Force": True} if state.get("force") else {})


def _kind(instance: str) -> str:
    kinds = {"lb-": "SlbInstance", "ngw-": "Nat"}
    return next((kind for start, kind in kinds.items() if instance.startswith(start)), "EcsInstance")


def address_of(work: Work, id: str) -> Answer | None:
    """An EIP, by its id."""
    answer = work.found("DescribeEipAddresses", {"AllocationId": id}) or {}
    addresses = (answer.get("EipAddresses") or {}).get("EipAddress") or []
    return next((one for one in addresses if one["AllocationId"] == id), None)
