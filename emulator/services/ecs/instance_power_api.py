"""Actions that switch instances on and off, and let them go."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from emulator.api.call import Answer, Call, Request
from emulator.api.errors import ApiError
from emulator.services.ecs import instances
from emulator.services.ecs.instances_api import OnInstance, found
from emulator.services.ecs.model_instances import Instance
from emulator.services.ecs.service import ECS
from emulator.services.vpc import eips


class StartInstance(OnInstance):
    pass


@ECS.action
def start_instance(call: Call, given: StartInstance) -> Answer:
    instances.start(call, found(call, given))
    return {}


class StopInstance(OnInstance):
    force_stop: bool = False
    confirm_stop: bool = True
    stopped_mode: Literal["", "StopCharging", "KeepCharging"] = ""


@ECS.action
def stop_instance(call: Call, given: StopInstance) -> Answer:
    charging = given.stopped_mode != "StopCharging"
    instances.stop(call, found(call, given), force=given.force_stop, charging=charging)
    return {}


class RebootInstance(OnInstance):
    force_stop: bool = False


@ECS.action
def reboot_instance(call: Call, given: RebootInstance) -> Answer:
    instances.reboot(call, found(call, given), force=given.force_stop)
    return {}


class DeleteInstance(OnInstance):
    force: bool = False
    terminate_subscription: bool = False


@ECS.action
def delete_instance(call: Call, given: DeleteInstance) -> Answer:
    one = found(call, given)
    _must_be_let_go(call, one)
    instances.delete(call, one, force=given.force)
    return {}


class Several(Request):
    instance_id: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]


def _all(call: Call, given: Several) -> list[Instance]:
    return [instances.find(call.cloud, call.region, one) for one in dict.fromkeys(given.instance_id)]


class StartInstances(Several):
    pass


@ECS.action
def start_instances(call: Call, given: StartInstances) -> Answer:
    return _responses([instances.start(call, one) for one in _all(call, given)], "Stopped")


class StopInstances(Several):
    force_stop: bool = False
    stopped_mode: Literal["", "StopCharging", "KeepCharging"] = ""


@ECS.action
def stop_instances(call: Call, given: StopInstances) -> Answer:
    charging = given.stopped_mode != "StopCharging"
    moved = [
        instances.stop(call, one, force=given.force_stop, charging=charging) for one in _all(call, given)
    ]
    return _responses(moved, "Running")


class RebootInstances(Several):
    force_reboot: bool = False


@ECS.action
def reboot_instances(call: Call, given: RebootInstances) -> Answer:
    return _responses(
        [instances.reboot(call, one, force=given.force_reboot) for one in _all(call, given)], "Running"
    )


class DeleteInstances(Several):
    force: bool = False
    terminate_subscription: bool = False


@ECS.action
def delete_instances(call: Call, given: DeleteInstances) -> Answer:
    for one in _all(call, given):
        _must_be_let_go(call, one)
        instances.delete(call, one, force=given.force)
    return {}


def _responses(moved: list[Instance], before: str) -> Answer:
    return {
        "InstanceResponses": {
            "InstanceResponse": [
                {
                    "InstanceId": one.id,
                    "Code": "200",
                    "Message": "success",
                    "PreviousStatus": before,
                    "CurrentStatus": one.status,
                }
                for one in moved
            ]
        }
    }


def _must_be_let_go(call: Call, one: Instance) -> None:
    if eip := eips.of(call.cloud, one.id):
        raise ApiError(
            400, "InvalidOperation.EipAssociated", f"The instance has an EIP: {eip.id}. Unassociate it first."
        )


# --- attributes
