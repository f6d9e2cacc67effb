"""Cloud Assistant by the SDK. What runs is in tests/docker/test_cloud_assistant.py."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m

from emulator.cloud import Cloud
from emulator.services.ecs import invocations
from emulator.services.ecs.model_commands import Run
from tests.cloud.conftest import Refused
from tests.cloud.machines import R, moving, place, run
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["moving", "place"]  # fixtures


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def command(ecs: Ecs, **more: Any) -> str:
    given: dict[str, Any] = {"name": "hello", "type": "RunShellScript"}
    given["command_content"] = coded("echo hello")
    made: str = ecs.create_command(m.CreateCommandRequest(**R, **(given | more))).body.command_id
    return made


def commands(ecs: Ecs, **wanted: Any) -> list[Any]:
    found: list[Any] = ecs.describe_commands(m.DescribeCommandsRequest(**R, **wanted)).body.commands.command
    return found


def invoke(ecs: Ecs, command_id: str, *instances: str, **more: Any) -> str:
    asked = m.InvokeCommandRequest(**R, command_id=command_id, instance_id=list(instances), **more)
    made: str = ecs.invoke_command(asked).body.invoke_id
    return made


def invocation(ecs: Ecs, id: str, **more: Any) -> Any:
    asked = m.DescribeInvocationsRequest(**R, invoke_id=id, **more)
    [one] = ecs.describe_invocations(asked).body.invocations.invocation
    return one


def results(ecs: Ecs, **wanted: Any) -> list[Any]:
    asked = m.DescribeInvocationResultsRequest(**R, **wanted)
    body = ecs.describe_invocation_results(asked).body
    found: list[Any] = body.invocation.invocation_results.invocation_result
    return found


@pytest.fixture
def machine(ecs: Ecs, place: dict[str, str], clock: Clock) -> str:
    [made] = run(ecs, place, instance_name="web")
    clock.later(60)
    return made


@pytest.fixture
def attended(moving: Cloud) -> Cloud:
    """As where machines run; what they do with a command the test says itself, by `finish`."""
    moving.machines = True
    return moving


def finish(cloud: Cloud, status: Any, error: str = "", **more: Any) -> None:
    with cloud.store.transaction():
        for one in cloud.store.all(Run):
            begun = one.but(started=cloud.now())
            cloud.store.put(invocations.ended(begun, cloud.now(), status, error, **more))


def test_a_command_is_made_told_of_changed_and_deleted(ecs: Ecs, refused: Refused) -> None:
    made = command(
        ecs,
        command_content=coded("echo {{ who }} {{ACS::InstanceId}}"),
        description="greets",
        enable_parameter=True,
        timeout=30,
        working_dir="/tmp",
        tag=[m.CreateCommandRequestTag("team", "a")],
    )
    command(ecs, name="other", command_content="echo plain", content_encoding="PlainText")
    [one] = commands(ecs, command_id=made)
    assert one.to_map() == {
        "CommandId": made,
        "Name": "hello",
        "Description": "greets",
        "Type": "RunShellScript",
        "CommandContent": coded("echo {{ who }} {{ACS::InstanceId}}"),
        "WorkingDir": "/tmp",
        "Timeout": 30,
        "EnableParameter": True,
        "ParameterNames": {"ParameterName": ["who"]},
        "ParameterDefinitions": {"ParameterDefinition": []},
        "InvokeTimes": 0,
        "CreationTime": one.creation_time,
        "Category": "",
        "Provider": "",
        "Latest": False,
        "Version": 1,
        "Launcher": "",
        "ResourceGroupId": "",
        "Tags": {"Tag": [{"TagKey": "team", "TagValue": "a"}]},
    }
    assert [one.name for one in commands(ecs)] == ["other", "hello"], "the latest first"
    assert [one.command_content for one in commands(ecs, name="oth*", content_encoding="PlainText")] == [
        "echo plain"
    ]
    ecs.modify_command(m.ModifyCommandRequest(**R, command_id=made, name="bye", description="", timeout=60))
    [one] = commands(ecs, command_id=made)
    assert (one.name, one.description, one.timeout, one.working_dir) == ("bye", "", 60, "/tmp")
    ecs.delete_command(m.DeleteCommandRequest(**R, command_id=made))
    assert commands(ecs, command_id=made) == []
    with refused("InvalidCmdId.NotFound", 404):
        ecs.delete_command(m.DeleteCommandRequest(**R, command_id=made))


@pytest.mark.parametrize(
    ("given", "code", "status"),
    [
        ({"type": "RunPerlScript"}, "InvalidCmdType.NotFound", 404),
        ({"command_content": "not base64!"}, "CmdContent.DecodeError", 400),
        ({"command_content": coded("x" * 20000)}, "CmdContent.ExceedLimit", 403),
        ({"timeout": 5}, "InvalidParameter.Timeout", 400),
        ({"timeout": 90000}, "InvalidTimeout.ExceedLimit", 403),
        ({"name": "x" * 129}, "CmdName.ExceedLimit", 403),
        ({"description": "x" * 513}, "CmdDesc.ExceedLimit", 403),
        ({"working_dir": "/" * 201}, "InvalidParameter.WorkingDir", 400),
        (
            {"enable_parameter": True, "command_content": coded("echo {{a b}}")},
            "CmdParam.InvalidParamName",
            400,
        ),
        ({"enable_parameter": True, "command_content": coded("echo {{}}")}, "CmdParam.EmptyKey", 400),
        ({"name": ""}, "MissingParameter", 400),
    ],
)
def test_what_is_no_command(
    ecs: Ecs, refused: Refused, given: dict[str, Any], code: str, status: int
) -> None:
    with refused(code, status):
        command(ecs, **given)
    assert commands(ecs) == []


def test_an_invocation_is_pending_until_a_machine_has_it(ecs: Ecs, attended: Cloud, machine: str) -> None:
    made = command(ecs, command_content=coded("echo {{who}}"), enable_parameter=True)
    id = invoke(ecs, made, machine, parameters={"Who": "you"}, timeout=20, username="root")
    one = invocation(ecs, id)
    assert (one.invocation_status, one.invoke_status) == ("Pending", "Running")
    finish(attended, "Success", exit_code=0, output=coded("you\n"))
    one = invocation(ecs, id, include_output=True).to_map()
    [there] = one["InvokeInstances"]["InvokeInstance"]
    assert one == {
        "InvokeId": id,
        "CommandId": made,
        "CommandName": "hello",
        "CommandDescription": "",
        "CommandType": "RunShellScript",
        "CommandContent": coded("echo {{who}}"),
        "Parameters": '{"Who":"you"}',
        "InvocationStatus": "Success",
        "InvokeStatus": "Finished",
        "CreationTime": one["CreationTime"],
        "RepeatMode": "Once",
        "Timed": False,
        "Frequency": "",
        "Timeout": 20,
        "WorkingDir": "",
        "Username": "root",
        "TerminationMode": "ProcessTree",
        "Launcher": "",
        "ContainerId": "",
        "ContainerName": "",
        "OssOutputDelivery": "",
        "Tags": {"Tag": []},
        "InvokeInstances": {"InvokeInstance": [there]},
    }
    assert there == {
        "InstanceId": machine,
        "InvocationStatus": "Success",
        "InstanceInvokeStatus": "Finished",
        "CreationTime": there["CreationTime"],
        "StartTime": there["StartTime"],
        "UpdateTime": there["UpdateTime"],
        "FinishTime": there["FinishTime"],
        "StopTime": "",
        "Repeats": 1,
        "Output": coded("you\n"),
        "Dropped": 0,
        "ExitCode": 0,
        "ErrorCode": "",
        "ErrorInfo": "",
        "OssOutputStatus": "",
        "OssOutputUri": "",
        "OssOutputErrorCode": "",
        "OssOutputErrorInfo": "",
        "Timed": False,
    }
    [told] = results(ecs, invoke_id=id, content_encoding="PlainText")
    assert (told.output, told.exit_code, told.invoke_record_status) == ("you\n", 0, "Finished")
    assert commands(ecs, command_id=made)[0].invoke_times == 1


@pytest.mark.parametrize(
    ("status", "error", "overall", "older"),
    [
        ("Failed", "ExitCodeNonzero", "Failed", "Finished"),
        ("Timeout", "ExecutionTimeout", "Failed", "Failed"),
        ("Invalid", "DirectoryNotExists", "Failed", "Failed"),
        ("Cancelled", "", "Stopped", "Stopped"),
    ],
)
def test_how_an_invocation_ends(
    ecs: Ecs, attended: Cloud, machine: str, status: str, error: str, overall: str, older: str
) -> None:
    id = invoke(ecs, command(ecs), machine)
    finish(attended, status, error)
    one = invocation(ecs, id)
    assert (one.invocation_status, one.invoke_status) == (overall, older)
    [told] = results(ecs, invoke_id=id)
    assert (told.invocation_status, told.error_code) == (status, error)
    assert bool(told.error_info) == bool(error)


def test_a_run_is_stopped(ecs: Ecs, attended: Cloud, machine: str, refused: Refused) -> None:
    made = command(ecs)
    id = invoke(ecs, made, machine)
    with refused("InvalidStatus.CmdIdInUse", 403):
        ecs.delete_command(m.DeleteCommandRequest(**R, command_id=made))
    with refused("InvalidInstanceId.NotFound", 404):
        ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=id, instance_id=["i-none"]))
    ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=id))
    assert invocation(ecs, id).invocation_status == "Stopped"
    [told] = results(ecs, invoke_id=id)
    assert told.invocation_status == "Cancelled" and told.stop_time
    ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=id))  # once more is nothing
    with refused("InvalidInvokeId.NotFound", 404):
        ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id="t-none"))
    ecs.delete_command(m.DeleteCommandRequest(**R, command_id=made))
    assert invocation(ecs, id).command_content == coded("echo hello"), "it has a copy"


def test_a_command_may_be_run_without_being_kept(ecs: Ecs, attended: Cloud, machine: str) -> None:
    asked = {"type": "RunShellScript", "command_content": "echo hi", "instance_id": [machine]}
    once = ecs.run_command(m.RunCommandRequest(**R, **asked)).body
    assert commands(ecs) == [] and invocation(ecs, once.invoke_id).command_content == coded("echo hi")
    kept = ecs.run_command(m.RunCommandRequest(**R, **asked, keep_command=True, name="kept")).body
    assert [one.command_id for one in commands(ecs)] == [kept.command_id]


def test_whom_a_command_reaches(
    ecs: Ecs, attended: Cloud, machine: str, clock: Clock, refused: Refused
) -> None:
    made = command(ecs)
    for instances, code, status in (
        ((), "MissingParam.InstanceId", 400),
        (("i-none",), "InvalidInstance.NotFound", 404),
        (tuple(f"i-{one}" for one in range(101)), "InstanceIds.ExceedLimit", 403),
    ):
        with refused(code, status):
            invoke(ecs, made, *instances)
    with refused("InvalidCmdId.NotFound", 404):
        invoke(ecs, "c-none", machine)
    with refused("InvalidInstance.NotMatch"):
        invoke(ecs, command(ecs, type="RunBatScript"), machine)
    with refused("Parameter.Disabled"):
        invoke(ecs, made, machine, parameters={"a": "b"})
    with refused("InvalidParameter.Parameters"):
        invoke(ecs, made, machine, parameters=["a"])
    with refused("InvalidRepeatMode.NotFound", 404):
        invoke(ecs, made, machine, repeat_mode="Twice")
    with refused("UnsupportedParameter.Emulator"):
        invoke(ecs, made, machine, repeat_mode="EveryReboot")
    ecs.stop_instance(m.StopInstanceRequest(instance_id=machine))
    clock.later(60)
    [told] = results(ecs, invoke_id=invoke(ecs, made, machine))
    assert (told.invocation_status, told.error_code) == ("Aborted", "InstanceNotRunning")


def test_without_machines_nothing_is_said_to_have_run(ecs: Ecs, machine: str, clock: Clock) -> None:
    id = invoke(ecs, command(ecs), machine)
    clock.later(1)
    [told] = results(ecs, invoke_id=id)
    assert (told.invocation_status, told.error_code, told.exit_code) == ("Aborted", "ClientNotRunning", None)
    assert "no machine runs behind this emulator" in told.error_info
    asked = m.DescribeCloudAssistantStatusRequest(**R, instance_id=[machine])
    [state] = ecs.describe_cloud_assistant_status(
        asked
    ).body.instance_cloud_assistant_status_set.instance_cloud_assistant_status
    assert (state.cloud_assistant_status, state.invocation_count) == ("false", 0)


def test_whether_the_assistant_answers(ecs: Ecs, attended: Cloud, machine: str, refused: Refused) -> None:
    invoke(ecs, command(ecs), machine)
    asked = m.DescribeCloudAssistantStatusRequest(**R, instance_id=[machine])
    body = ecs.describe_cloud_assistant_status(asked).body
    [state] = body.instance_cloud_assistant_status_set.instance_cloud_assistant_status
    assert state.to_map() == {
        "InstanceId": machine,
        "CloudAssistantStatus": "true",
        "CloudAssistantVersion": state.cloud_assistant_version,
        "LastHeartbeatTime": state.last_heartbeat_time,
        "InvocationCount": 0,
        "ActiveTaskCount": 1,
        "LastInvokedTime": "",
        "OSType": "Linux",
        "SupportSessionManager": False,
    }
    with refused("InvalidInstanceIds.NotFound", 404):
        ecs.describe_cloud_assistant_status(m.DescribeCloudAssistantStatusRequest(**R, instance_id=["i-no"]))


def test_lists_have_pages(ecs: Ecs) -> None:
    for number in range(12):
        command(ecs, name=f"c{number}")
    first = ecs.describe_commands(m.DescribeCommandsRequest(**R, max_results=10)).body
    assert len(first.commands.command) == 10
    rest = ecs.describe_commands(
        m.DescribeCommandsRequest(**R, max_results=10, next_token=first.next_token)
    ).body
    assert [one.name for one in rest.commands.command] == ["c1", "c0"] and not rest.next_token
    page = ecs.describe_commands(m.DescribeCommandsRequest(**R, page_number=2, page_size=5)).body
    assert [one.name for one in page.commands.command] == ["c6", "c5", "c4", "c3", "c2"]
    assert (page.total_count, page.page_number, page.page_size) == (12, 2, 5)


def test_parameters_take_the_place_of_their_names() -> None:
    from emulator.services.ecs import commands as rules

    made = rules.filled(coded("echo {{ a }} {{B}} {{c}}"), {"A": "one", "b": "$(two)"})
    assert base64.b64decode(made).decode() == "echo one $(two) "
