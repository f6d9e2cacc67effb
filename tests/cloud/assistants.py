"""Calls of Cloud Assistant in a line, and the plane's part played by hand: nothing runs in these tests."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m

from emulator.cloud import Cloud
from emulator.services.ecs import invocations
from emulator.services.ecs.model_commands import Run
from tests.cloud.machines import R, run
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


USUAL: dict[str, Any] = {"name": "greet", "type": "RunShellScript", "command_content": coded("echo hello")}


def create(ecs: Ecs, **changed: Any) -> str:
    made: str = ecs.create_command(m.CreateCommandRequest(**R, **(USUAL | changed))).body.command_id
    return made


def described(ecs: Ecs, **wanted: Any) -> list[Any]:
    found: list[Any] = ecs.describe_commands(m.DescribeCommandsRequest(**R, **wanted)).body.commands.command
    return found


def invoke(ecs: Ecs, command: str, *instances: str, **more: Any) -> str:
    asked = m.InvokeCommandRequest(**R, command_id=command, instance_id=list(instances), **more)
    made: str = ecs.invoke_command(asked).body.invoke_id
    return made


def invoked(ecs: Ecs, **wanted: Any) -> list[Any]:
    body = ecs.describe_invocations(m.DescribeInvocationsRequest(**R, **wanted)).body
    found: list[Any] = body.invocations.invocation
    return found


def results(ecs: Ecs, **wanted: Any) -> list[Any]:
    body = ecs.describe_invocation_results(m.DescribeInvocationResultsRequest(**R, **wanted)).body
    found: list[Any] = body.invocation.invocation_results.invocation_result
    return found


def assistant(ecs: Ecs, **wanted: Any) -> list[Any]:
    body = ecs.describe_cloud_assistant_status(m.DescribeCloudAssistantStatusRequest(**R, **wanted)).body
    found: list[Any] = body.instance_cloud_assistant_status_set.instance_cloud_assistant_status
    return found


def minute(clock: Clock) -> str:
    return clock.time.strftime("%Y-%m-%dT%H:%MZ")


def second(clock: Clock) -> str:
    return clock.time.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def three(ecs: Ecs, place: dict[str, str], clock: Clock, cloud: Cloud) -> list[str]:
    """Instances that run, in a cloud that says it has machines; the tests move the runs on."""
    made = run(ecs, place, amount=3, instance_name="one")
    clock.later(2)
    cloud.machines = True
    assert [one.cloud_assistant_status for one in assistant(ecs)] == ["true"] * 3
    return made


def moved(cloud: Cloud, invocation: str, instance: str, **changed: Any) -> Run:
    """What the plane writes down of a run that goes on."""
    found = cloud.store.get(Run, f"{invocation}/{instance}")
    assert found is not None
    return cloud.store.put(found.but(**changed))


def begin(cloud: Cloud, invocation: str, *instances: str) -> None:
    for instance in instances:
        moved(cloud, invocation, instance, status="Running", since=cloud.now(), started=cloud.now())


def end(cloud: Cloud, invocation: str, instance: str, status: Any, error: str = "", **changed: Any) -> None:
    held = moved(cloud, invocation, instance)
    cloud.store.put(invocations.ended(held, cloud.now(), status, error, **changed))
