"""Cloud Assistant's commands run, listed, stopped, by the SDK. What runs on real machines: tests/docker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m

from emulator.cloud import Cloud
from emulator.services.ecs import commands, invocations
from emulator.services.ecs.model_commands import Invocation, Run
from emulator.services.ecs.model_instances import Instance
from tests.cloud.assistants import (
    assistant,
    begin,
    coded,
    create,
    described,
    end,
    invoke,
    invoked,
    moved,
    results,
    second,
    three,
)
from tests.cloud.conftest import Refused
from tests.cloud.machines import R, moving, place, run
from tests.cloud.raw import Raw
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["moving", "place", "three"]  # fixtures


def test_a_run_is_described_from_its_order_to_its_end(
    ecs: Ecs, cloud: Cloud, clock: Clock, three: list[str]
) -> None:
    made = create(ecs, description="says", enable_parameter=True, command_content=coded("echo {{word}}"))
    instance = three[0]
    invocation = invoke(
        ecs, made, instance, parameters={"word": "hi"}, username="nobody", timeout=30, working_dir="/tmp",
        tag=[m.InvokeCommandRequestTag(key="k", value="v")],
    )  # fmt: skip
    ordered = second(clock)
    whole: dict[str, Any] = {
        "InvokeId": invocation,
        "CommandId": made,
        "CommandName": "greet",
        "CommandDescription": "says",
        "CommandType": "RunShellScript",
        "CommandContent": coded("echo {{word}}"),
        "Parameters": '{"word":"hi"}',
        "InvocationStatus": "Pending",
        "InvokeStatus": "Running",
        "CreationTime": ordered,
        "RepeatMode": "Once",
        "Timed": False,
        "Frequency": "",
        "Timeout": 30,
        "WorkingDir": "/tmp",
        "Username": "nobody",
        "TerminationMode": "ProcessTree",
        "Launcher": "",
        "ContainerId": "",
        "ContainerName": "",
        "OssOutputDelivery": "",
        "Tags": {"Tag": [{"TagKey": "k", "TagValue": "v"}]},
    }
    part: dict[str, Any] = {
        "InstanceId": instance,
        "InvocationStatus": "Pending",
        "InstanceInvokeStatus": "Running",
        "CreationTime": ordered,
        "UpdateTime": ordered,
        "StartTime": "",
        "FinishTime": "",
        "StopTime": "",
        "Repeats": 0,
        "Output": "",
        "Dropped": 0,
        "ErrorCode": "",
        "ErrorInfo": "",
        "OssOutputStatus": "",
        "OssOutputUri": "",
        "OssOutputErrorCode": "",
        "OssOutputErrorInfo": "",
        "Timed": False,
    }
    [one] = invoked(ecs, invoke_id=invocation)
    assert one.to_map() == whole | {"InvokeInstances": {"InvokeInstance": [part]}}
    clock.later(2)
    begin(cloud, invocation, instance)
    began = second(clock)
    clock.later(5)
    over = second(clock)
    kept = {"exit_code": 3, "output": coded("hi\n"), "dropped": 7}
    end(cloud, invocation, instance, "Failed", "ExitCodeNonzero", **kept)
    ended = {
        "StartTime": began,
        "Repeats": 1,
        "Dropped": 7,
        "ExitCode": 3,
        "ErrorCode": "ExitCodeNonzero",
        "ErrorInfo": "the command execution exit code is not zero.",
        "InvocationStatus": "Failed",
    }
    [one] = invoked(ecs, invoke_id=invocation, include_output=True, content_encoding="PlainText")
    assert one.to_map() == whole | {
        "CommandContent": "echo {{word}}",
        "InvocationStatus": "Failed",
        "InvokeStatus": "Finished",
        "InvokeInstances": {
            "InvokeInstance": [
                part
                | ended
                | {
                    "InstanceInvokeStatus": "Finished",
                    "UpdateTime": over,
                    "FinishTime": over,
                    "Output": "hi\n",
                }
            ]
        },
    }
    assert invoked(ecs, invoke_id=invocation)[0].invoke_instances.invoke_instance[0].output == ""
    [result] = results(ecs, invoke_id=invocation)
    gone = ("InstanceInvokeStatus", "CreationTime", "UpdateTime", "FinishTime", "Timed")
    of_all = ("InvokeId", "CommandId", "Username", "TerminationMode", "Launcher", "ContainerId")
    assert result.to_map() == (
        {name: value for name, value in part.items() if name not in gone}
        | {name: whole[name] for name in (*of_all, "ContainerName", "OssOutputDelivery", "Tags")}
        | ended
        | {"Output": coded("hi\n"), "InvokeRecordStatus": "Finished", "FinishedTime": over}
    )
    assert described(ecs)[0].invoke_times == 1


@pytest.mark.parametrize(
    ("ends", "status", "record"),
    [
        (("Success", "Success", "Success"), "Success", "Finished"),
        (("Success", "Failed", "Success"), "PartialFailed", "Finished"),
        (("Success", "Timeout", "Success"), "PartialFailed", "PartialFailed"),
        (("Failed", "Failed", "Failed"), "Failed", "Finished"),
        (("Error", "Invalid", "Aborted"), "Failed", "Failed"),
        (("Success", "Terminated", "Cancelled"), "Success", "Finished"),
        (("Terminated", "Cancelled", "Terminated"), "Stopped", "Stopped"),
        (("Terminated", "Timeout", "Terminated"), "Failed", "Failed"),
    ],
)
def test_an_invocation_is_what_its_runs_are(
    ecs: Ecs, cloud: Cloud, three: list[str], ends: tuple[str, ...], status: str, record: str
) -> None:
    invocation = invoke(ecs, create(ecs), *three)
    begin(cloud, invocation, *three)
    for instance, how in zip(three, ends, strict=True):
        assert invoked(ecs)[0].invocation_status == "Running"
        end(cloud, invocation, instance, how)
    [one] = invoked(ecs)
    assert (one.invocation_status, one.invoke_status) == (status, record)
    assert [run.instance_id for run in one.invoke_instances.invoke_instance] == three
    assert [run.invocation_status for run in results(ecs)] == list(ends)
    assert len(invoked(ecs, invoke_status=record)) == 1
    assert len(invoked(ecs, invoke_status="Running")) == 0


def test_stopping(ecs: Ecs, cloud: Cloud, three: list[str], refused: Refused) -> None:
    command = create(ecs)
    invocation = invoke(ecs, command, *three)
    begin(cloud, invocation, *three[:2])
    with refused("InvalidStatus.CmdIdInUse", 403):
        ecs.delete_command(m.DeleteCommandRequest(**R, command_id=command))
    with refused("InvalidInstanceId.NotFound", 404):
        ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=invocation, instance_id=["i-none"]))
    ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=invocation, instance_id=[three[0], three[2]]))
    found = {one.instance_id: one for one in results(ecs)}
    assert [found[one].invocation_status for one in three] == ["Stopping", "Running", "Cancelled"]
    assert [found[one].invoke_record_status for one in three] == ["Stopping", "Running", "Stopped"]
    assert [bool(found[one].stop_time) for one in three] == [True, False, True]
    end(cloud, invocation, three[0], "Terminated")
    ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=invocation))
    assert invoked(ecs)[0].invocation_status == "Stopping"
    end(cloud, invocation, three[1], "Success", exit_code=0)
    ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=invocation))
    assert [one.invocation_status for one in results(ecs)] == ["Terminated", "Success", "Cancelled"]
    ecs.delete_command(m.DeleteCommandRequest(**R, command_id=command))
    assert invoked(ecs)[0].command_name == "greet", "it has a copy"
    with refused("InvalidInvokeId.NotFound", 404):
        ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id="t-none"))
    with refused("InstanceIds.ExceedLimit", 403):
        ids = [f"i-{number}" for number in range(51)]
        ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=invocation, instance_id=ids))


def test_what_is_run_at_once_is_kept_where_it_is_asked(ecs: Ecs, three: list[str]) -> None:
    given = {"type": "RunShellScript", "instance_id": three[:1], "name": "quick", "timeout": 20}
    asked = m.RunCommandRequest(**R, **given, command_content="echo {{ACS::RegionId}}", enable_parameter=True)
    body = ecs.run_command(asked).body
    assert described(ecs) == []
    [one] = invoked(ecs, invoke_id=body.invoke_id, content_encoding="PlainText")
    assert (one.command_id, one.command_name, one.timeout) == (body.command_id, "quick", 20)
    assert (one.command_content, one.parameters) == ("echo {{ACS::RegionId}}", "{}")
    kept = m.RunCommandRequest(
        **R, **given, command_content=coded("id"), content_encoding="Base64", keep_command=True
    )
    body = ecs.run_command(kept).body
    [one] = described(ecs)
    assert (one.command_id, one.command_content, one.invoke_times) == (body.command_id, coded("id"), 1)


def test_parameters_are_filled_in(ecs: Ecs, cloud: Cloud, three: list[str]) -> None:
    text = "{{Word}} {{ word\n}} {{none}} {{ACS::InstanceId}} {{acs::InstanceName}} {{ACS::INVOKEID}}"
    text += " {{ACS::CommandId}} {{ACS::RegionId}} {{ACS::AccountId}}"
    command = create(ecs, command_content=coded(text), enable_parameter=True)
    invocation = invoke(ecs, command, three[1], parameters={"WORD": "é {{none}}"})
    held, instance = cloud.store.get(Invocation, invocation), cloud.store.get(Instance, three[1])
    assert held is not None and instance is not None
    said = commands.text_of(invocations.script(cloud, held, instance))
    rest = f"{three[1]} one {invocation} {command} {R['region_id']} {cloud.account}"
    assert said == f"é {{{{none}}}} é {{{{none}}}}  {rest}"
    plain = create(ecs, command_content=coded(text))
    held = cloud.store.get(Invocation, invoke(ecs, plain, three[1]))
    assert held is not None
    assert commands.text_of(invocations.script(cloud, held, instance)) == text, "only where it is enabled"


@pytest.mark.parametrize(
    ("given", "code", "status"),
    [
        ('{"word": 1}', "ParameterType.NotSupported", 403),
        ('{"word": "a", "Word": "b"}', "ParameterKey.Duplicate", 403),
        ('{"word": "a", "word": "b"}', "ParameterKey.Duplicate", 403),
        ('{"other": "a"}', "Parameter.NotMatched", 403),
        ("[]", "InvalidParameter.Parameters", 400),
        ("{", "InvalidParameter.Parameters", 400),
        (json.dumps({f"p{n}": "" for n in range(11)}), "ParameterCount.ExceedLimit", 403),
        (json.dumps({"x" * 65: ""}), "ParameterKey.ExceedLimit", 403),
        (json.dumps({"word": "x" * 20000}), "CmdContent.ExceedLimit", 403),
    ],
)
def test_parameters_that_do_not_fit(
    ecs: Ecs, raw: Raw, three: list[str], given: str, code: str, status: int
) -> None:
    command = create(ecs, command_content=coded("echo {{word}}"), enable_parameter=True)
    place = {"RegionId": R["region_id"], "CommandId": command, "InstanceId.1": three[0]}
    said = raw.ask("ecs", "InvokeCommand", **place, Parameters=given)
    assert (said.code, said.status) == (code, status)
    assert invoked(ecs) == []


@pytest.mark.parametrize(
    ("changed", "code", "status"),
    [
        ({"command_id": "c-none"}, "InvalidCmdId.NotFound", 404),
        ({"instance_id": ["i-none"]}, "InvalidInstance.NotFound", 404),
        ({"instance_id": []}, "MissingParam.InstanceId", 400),
        ({"instance_id": [f"i-{n}" for n in range(101)]}, "InstanceIds.ExceedLimit", 403),
        ({"parameters": {"a": "b"}}, "Parameter.Disabled", 400),
        ({"timeout": 5}, "InvalidParameter.Timeout", 400),
        ({"timeout": 86401}, "InvalidTimeout.ExceedLimit", 403),
        ({"username": "x" * 256}, "Username.ExceedLimit", 403),
        ({"repeat_mode": "Never"}, "InvalidRepeatMode.NotFound", 404),
        ({"repeat_mode": "Period"}, "UnsupportedParameter.Emulator", 400),
        ({"frequency": "rate(5m)"}, "UnsupportedParameter.Emulator", 400),
        ({"timed": True}, "UnsupportedParameter.Emulator", 400),
        ({"windows_password_name": "secret"}, "UnsupportedParameter.Emulator", 400),
        ({"termination_mode": "None"}, "InvalidTerminationMode.NotFound", 404),
        ({"termination_mode": "Process"}, "UnsupportedParameter.Emulator", 400),
    ],
)
def test_an_order_that_cannot_be(
    ecs: Ecs, refused: Refused, three: list[str], changed: dict[str, Any], code: str, status: int
) -> None:
    settings = {"command_id": create(ecs), "instance_id": three[:1]} | changed
    with refused(code, status):
        ecs.invoke_command(m.InvokeCommandRequest(**R, **settings))
    assert invoked(ecs) == []


def test_a_script_for_windows_fits_no_instance_here(ecs: Ecs, three: list[str], refused: Refused) -> None:
    command = create(ecs, type="RunPowerShellScript")
    with refused("InvalidInstance.NotMatch"):
        invoke(ecs, command, three[0])
    with refused("InvalidCmdType.NotFound", 404):
        asked = m.RunCommandRequest(**R, type="x", command_content="x", instance_id=three[:1])
        ecs.run_command(asked)


def test_invocations_are_found_by_what_they_are(ecs: Ecs, cloud: Cloud, three: list[str]) -> None:
    a, b = create(ecs, name="deploy"), create(ecs, name="check")
    first = invoke(ecs, a, *three[:2], tag=[m.InvokeCommandRequestTag(key="k", value="v")])
    begin(cloud, first, *three[:2])
    end(cloud, first, three[0], "Success", exit_code=0)
    second_ = invoke(ecs, b, three[0], resource_group_id="rg-x")

    def ids(**wanted: Any) -> list[str]:
        return [one.invoke_id for one in invoked(ecs, **wanted)]

    assert ids() == [second_, first]
    assert ids(command_id=a) == ids(command_name="dep*") == [first]
    assert ids(invoke_status="Running", command_id=a) == [first]
    assert ids(instance_id=three[1]) == [first]
    assert ids(invoke_status="Pending") == ids(resource_group_id="rg-x") == [second_]
    assert ids(tag=[m.DescribeInvocationsRequestTag(key="k")]) == [first]
    assert ids(command_type="RunBatScript") == ids(timed=True) == ids(repeat_mode="Period") == []
    assert ids(page_size=1, page_number=2) == [first]
    [part] = invoked(ecs, instance_id=three[0], command_id=a)
    assert [one.instance_id for one in part.invoke_instances.invoke_instance] == [three[0]]
    assert [one.instance_id for one in results(ecs)] == [three[0], three[0], three[1]]
    assert [one.invoke_id for one in results(ecs, invoke_record_status="Finished")] == [first]
    assert [one.invoke_id for one in results(ecs, instance_id=three[1])] == [first]
    assert [one.invoke_id for one in results(ecs, command_id=b)] == [second_]
    assert [one.invoke_id for one in results(ecs, max_results=1)] == [second_]


def test_outputs_are_asked_for_of_something(ecs: Ecs, refused: Refused) -> None:
    with refused("MissingParameter"):
        invoked(ecs, include_output=True)
    with refused("UnsupportedParameter.Emulator"):
        results(ecs, include_history=True)


def test_without_machines_nothing_is_said_to_have_run(
    ecs: Ecs, place: dict[str, str], clock: Clock, cloud: Cloud
) -> None:
    [instance] = run(ecs, place)
    command = create(ecs)
    early = invoke(ecs, command, instance)
    [one] = results(ecs, invoke_id=early)
    assert (one.invocation_status, one.error_code) == ("Aborted", "InstanceNotRunning")
    clock.later(2)
    [status] = assistant(ecs, instance_id=[instance])
    assert (status.cloud_assistant_status, status.last_heartbeat_time) == ("false", "")
    invocation = invoke(ecs, command, instance)
    assert results(ecs, invoke_id=invocation)[0].invocation_status == "Pending"
    clock.later(1)
    [one] = results(ecs, invoke_id=invocation)
    assert (one.invocation_status, one.error_code, one.start_time) == ("Aborted", "ClientNotRunning", "")
    assert one.error_info.endswith("(no machine runs behind this emulator).")
    assert invoked(ecs, invoke_id=invocation)[0].invocation_status == "Failed"
    ecs.delete_command(m.DeleteCommandRequest(**R, command_id=command))


def test_whether_the_assistant_answers(
    ecs: Ecs, cloud: Cloud, clock: Clock, three: list[str], refused: Refused
) -> None:
    invocation = invoke(ecs, create(ecs), three[0])
    begin(cloud, invocation, three[0])
    [one] = assistant(ecs, instance_id=[three[0]])
    assert one.to_map() == {
        "InstanceId": three[0],
        "CloudAssistantStatus": "true",
        "CloudAssistantVersion": "2.2.3.857",
        "LastHeartbeatTime": second(clock),
        "InvocationCount": 1,
        "ActiveTaskCount": 1,
        "LastInvokedTime": second(clock),
        "OSType": "Linux",
        "SupportSessionManager": False,
    }
    assert [one.instance_id for one in assistant(ecs, page_size=2, page_number=2)] == three[2:]
    assert assistant(ecs, ostype="Windows") == []
    with refused("InvalidInstanceIds.NotFound", 404):
        assistant(ecs, instance_id=["i-none"])
    with refused("InstanceIds.ExceedLimit", 403):
        assistant(ecs, instance_id=[f"i-{number}" for number in range(101)])


def test_the_old_are_forgotten(ecs: Ecs, cloud: Cloud, three: list[str]) -> None:
    command = create(ecs)
    old = invoke(ecs, command, three[0])
    end(cloud, old, three[0], "Success", exit_code=0)
    held = cloud.store.get(Invocation, old)
    assert held is not None
    then = cloud.now() - invocations.KEPT * 1.1
    cloud.store.put(held.but(created=then))
    moved(cloud, old, three[0], created=then)
    new = invoke(ecs, command, three[0])
    assert [one.invoke_id for one in invoked(ecs)] == [new]
    assert [one.invocation for one in cloud.store.all(Run)] == [new]
