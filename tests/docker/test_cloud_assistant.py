"""Cloud Assistant on a real machine: commands run there, by the official SDK."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from alibabacloud_ecs20140526 import models as m

from tests.docker.clouds import Cloud, R, until

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    client = docker.from_env(timeout=600)
    made = Cloud(client, tmp_path_factory.mktemp("cloud"))
    yield made
    made.stop()
    assert made.left() == [], "it leaves nothing behind"
    client.close()


@pytest.fixture(scope="module")
def machine(cloud: Cloud) -> str:
    vpc, [switch] = cloud.network("10.0.0.0/16", "10.0.1.0/24")
    [made] = cloud.run(switch, cloud.group(vpc), instance_name="assisted")
    cloud.reaches(made, "Running")
    return made


def order(cloud: Cloud, machine: str, text: str, **more: Any) -> str:
    """Run a script on the machine; the invocation."""
    settings = {"type": "RunShellScript", "instance_id": [machine], "command_content": text} | more
    made: str = cloud.ecs.run_command(m.RunCommandRequest(**R, **settings)).body.invoke_id
    return made


def result(cloud: Cloud, invocation: str) -> Any:
    """What is known of it, its output as text."""
    asked = m.DescribeInvocationResultsRequest(**R, invoke_id=invocation, content_encoding="PlainText")
    [one] = cloud.ecs.describe_invocation_results(asked).body.invocation.invocation_results.invocation_result
    return one


def over(cloud: Cloud, invocation: str, seconds: float = 20) -> Any:
    """The same, once it has ended."""

    def ask() -> Any:
        one = result(cloud, invocation)
        return one if one.finished_time else None

    return until(f"{invocation} is over", ask, seconds)


def prints(cloud: Cloud, invocation: str, text: str) -> None:
    until(f"{invocation} prints {text!r}", lambda: text in result(cloud, invocation).output or None)


def ways(one: Any) -> tuple[str, str, str]:
    """The two words for how it went, and why."""
    return one.invocation_status, one.invoke_record_status, one.error_code


def test_a_script_runs_as_root_at_home(cloud: Cloud, machine: str) -> None:
    one = over(cloud, order(cloud, machine, 'id -un; pwd; echo "$HOME"; echo trouble >&2; hostname'))
    host = cloud.told(machine).host_name
    assert one.output == f"root\n/root\n/root\ntrouble\n{host}\n"
    assert ways(one) == ("Success", "Finished", "")
    assert (one.exit_code, one.repeats, one.dropped, one.instance_id) == (0, 1, 0, machine)
    assert one.start_time <= one.finished_time and one.stop_time == ""


def test_a_command_that_is_kept_runs_with_its_parameters(cloud: Cloud, machine: str) -> None:
    text = "echo {{ word }} {{ACS::InstanceId}} {{acs::instancename}} {{none}}."
    made = cloud.ecs.create_command(
        m.CreateCommandRequest(
            **R, name="greet", type="RunShellScript", enable_parameter=True, working_dir="/srv",
            command_content=base64.b64encode(f"pwd; {text}".encode()).decode(),
        )
    ).body.command_id  # fmt: skip
    for word in ("one", "$(echo two)"):
        asked = m.InvokeCommandRequest(**R, command_id=made, instance_id=[machine], parameters={"Word": word})
        one = over(cloud, cloud.ecs.invoke_command(asked).body.invoke_id)
        said = "two" if "two" in word else word
        assert one.output == f"/srv\n{said} {machine} assisted .\n"
        assert ways(one) == ("Success", "Finished", "")


def test_it_runs_as_whom_and_by_what_it_says(cloud: Cloud, machine: str) -> None:
    text = "#!/usr/bin/env python3\nimport os, pwd\nprint(pwd.getpwuid(os.getuid()).pw_name, os.getcwd())"
    one = over(cloud, order(cloud, machine, text, username="nobody", working_dir="/tmp"))
    assert (one.output, one.exit_code, one.username) == ("nobody /tmp\n", 0, "nobody")


def test_one_that_fails(cloud: Cloud, machine: str) -> None:
    invocation = order(cloud, machine, "echo half; exit 3")
    one = over(cloud, invocation)
    assert (one.output, one.exit_code) == ("half\n", 3)
    assert ways(one) == ("Failed", "Finished", "ExitCodeNonzero")
    asked = m.DescribeInvocationsRequest(**R, invoke_id=invocation)
    [whole] = cloud.ecs.describe_invocations(asked).body.invocations.invocation
    assert (whole.invocation_status, whole.invoke_status) == ("Failed", "Finished")
    killed = over(cloud, order(cloud, machine, "kill -9 $$"))
    assert (killed.exit_code, *ways(killed)) == (137, "Failed", "Finished", "ExitCodeNonzero")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"username": "stranger"}, "AccountNotExists"), ({"working_dir": "/none"}, "DirectoryNotExists")],
)
def test_one_that_cannot_begin(cloud: Cloud, machine: str, wrong: dict[str, str], code: str) -> None:
    one = over(cloud, order(cloud, machine, "echo never", **wrong))
    assert ways(one) == ("Invalid", "Failed", code)
    assert (one.output, one.exit_code) == ("", None)


def test_of_much_output_the_end_is_kept(cloud: Cloud, machine: str) -> None:
    text = "".join(f"{number}\n" for number in range(1, 20001))
    one = over(cloud, order(cloud, machine, "seq 20000"))
    assert one.output == text[-24 * 1024 :]
    assert one.dropped == len(text) - 24 * 1024


def test_what_it_leaves_running_goes_on(cloud: Cloud, machine: str) -> None:
    left = "(sleep 2; while :; do echo still; sleep 0.1; done) & echo $! > /root/left"
    assert over(cloud, order(cloud, machine, left), 5).exit_code == 0
    alive = 'sleep 3; kill -0 "$(cat /root/left)" && echo alive && kill "$(cat /root/left)"'
    assert over(cloud, order(cloud, machine, alive)).output == "alive\n"


def test_one_that_takes_too_long_and_one_that_is_stopped(cloud: Cloud, machine: str) -> None:
    slow = order(cloud, machine, "echo begun; sleep 301", timeout=10)
    stopped = order(cloud, machine, "echo begun; sleep 302 & sleep 302", timeout=60)
    prints(cloud, stopped, "begun")
    assert ways(result(cloud, stopped)) == ("Running", "Running", "")
    cloud.ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=stopped))
    one = over(cloud, stopped)
    assert (one.output, one.exit_code, *ways(one)) == ("begun\n", None, "Terminated", "Stopped", "")
    assert one.stop_time
    cloud.ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=stopped))  # it is over: nothing to do
    one = over(cloud, slow)
    assert (one.output, one.exit_code, *ways(one)) == (
        "begun\n",
        None,
        "Timeout",
        "Failed",
        "ExecutionTimeout",
    )
    assert over(cloud, order(cloud, machine, "pgrep -x sleep")).exit_code == 1, "nothing is left of both"


def test_the_emulator_dies_in_the_middle(cloud: Cloud, machine: str) -> None:
    before = over(cloud, order(cloud, machine, "echo kept"))
    long = order(cloud, machine, "echo begun; sleep 4; echo ended; exit 7")
    longer = order(cloud, machine, "echo begun; sleep 303", timeout=60)
    prints(cloud, long, "begun")
    prints(cloud, longer, "begun")
    port = int(cloud.url.rpartition(":")[2])
    cloud.kill()
    cloud.start(port)
    assert result(cloud, before.invoke_id).to_map() == before.to_map()
    assert ways(result(cloud, longer)) == ("Running", "Running", "")
    one = over(cloud, long)
    assert (one.output, one.exit_code, one.repeats) == ("begun\nended\n", 7, 1)
    cloud.ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=longer, instance_id=[machine]))
    assert ways(over(cloud, longer)) == ("Terminated", "Stopped", "")


def test_the_machine_stops_in_the_middle(cloud: Cloud, machine: str) -> None:
    def told() -> Any:
        asked = m.DescribeCloudAssistantStatusRequest(**R, instance_id=[machine])
        body = cloud.ecs.describe_cloud_assistant_status(asked).body
        [one] = body.instance_cloud_assistant_status_set.instance_cloud_assistant_status
        return one

    running = order(cloud, machine, "echo begun; sleep 304", timeout=600)
    prints(cloud, running, "begun")
    one = told()
    assert (one.cloud_assistant_status, one.active_task_count) == ("true", 1)
    assert one.invocation_count > 10 and one.last_invoked_time and one.last_heartbeat_time
    cloud.ecs.reboot_instance(m.RebootInstanceRequest(instance_id=machine))
    one = over(cloud, running, 60)
    assert (one.output, *ways(one)) == ("begun\n", "Error", "Failed", "ExecutionInterrupted")
    cloud.reaches(machine, "Running")
    assert over(cloud, order(cloud, machine, "echo again")).output == "again\n"
    cloud.ecs.stop_instance(m.StopInstanceRequest(instance_id=machine))
    cloud.reaches(machine, "Stopped")
    assert told().cloud_assistant_status == "false"
    assert ways(over(cloud, order(cloud, machine, "echo never"))) == (
        "Aborted",
        "Failed",
        "InstanceNotRunning",
    )
    cloud.ecs.start_instance(m.StartInstanceRequest(instance_id=machine))
    cloud.reaches(machine, "Running")
    lost = order(cloud, machine, "echo begun; sleep 305", timeout=600)
    prints(cloud, lost, "begun")
    cloud.ecs.delete_instance(m.DeleteInstanceRequest(instance_id=machine, force=True))
    assert ways(over(cloud, lost)) == ("Error", "Failed", "InstanceReleased")
