"""Cloud Assistant on a real machine of the emulated cloud."""

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
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env(timeout=600)
    yield found
    found.close()


@pytest.fixture(scope="module")
def cloud(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(client, tmp_path_factory.mktemp("cloud"))
    yield made
    made.stop()
    assert made.left() == []


@pytest.fixture(scope="module")
def machine(cloud: Cloud) -> str:
    vpc, [switch] = cloud.network("10.0.0.0/16", "10.0.1.0/24")
    [made] = cloud.run(switch, cloud.group(vpc), instance_name="web")
    cloud.reaches(made, "Running")
    return made


def begin(cloud: Cloud, machine: str, script: str, **more: Any) -> str:
    asked = m.RunCommandRequest(
        **R,
        type="RunShellScript",
        command_content=script,
        instance_id=[machine],
        timeout=more.pop("timeout", 30),
        **more,
    )
    made: str = cloud.ecs.run_command(asked).body.invoke_id
    return made


def told(cloud: Cloud, id: str) -> Any:
    asked = m.DescribeInvocationResultsRequest(**R, invoke_id=id, content_encoding="PlainText")
    [one] = cloud.ecs.describe_invocation_results(asked).body.invocation.invocation_results.invocation_result
    return one


def ended(cloud: Cloud, id: str, seconds: float = 20) -> Any:
    def over() -> Any:
        one = told(cloud, id)
        return None if one.invocation_status in ("Pending", "Running", "Stopping") else one

    return until(f"{id} ends", over, seconds)


def test_a_command_runs_and_its_output_is_kept(cloud: Cloud, machine: str) -> None:
    script = "id -un; pwd; echo {{ACS::InstanceId}} {{word}}; echo aloud >&2"
    one = ended(cloud, begin(cloud, machine, script, enable_parameter=True, parameters={"word": "über"}))
    assert (one.invocation_status, one.exit_code, one.error_code) == ("Success", 0, "")
    assert one.output == f"root\n/root\n{machine} über\naloud\n"
    assert one.start_time and one.finished_time


def test_one_that_fails_says_how(cloud: Cloud, machine: str) -> None:
    one = ended(cloud, begin(cloud, machine, "echo before; exit 7"))
    assert (one.invocation_status, one.exit_code, one.error_code) == ("Failed", 7, "ExitCodeNonzero")
    assert one.output == "before\n" and one.error_info == "the command execution exit code is not zero."


@pytest.mark.parametrize(
    ("more", "code"),
    [({"working_dir": "/none"}, "DirectoryNotExists"), ({"username": "nobody-here"}, "AccountNotExists")],
)
def test_one_that_cannot_begin_says_why(cloud: Cloud, machine: str, more: dict[str, str], code: str) -> None:
    one = ended(cloud, begin(cloud, machine, "true", **more))
    assert (one.invocation_status, one.error_code, one.output) == ("Invalid", code, "")


def test_it_runs_as_whom_and_where_it_is_told(cloud: Cloud, machine: str) -> None:
    one = ended(cloud, begin(cloud, machine, "#!/bin/sh\nid -un; pwd", username="daemon", working_dir="/tmp"))
    assert one.output == "daemon\n/tmp\n"


def test_of_a_long_output_the_last_is_kept(cloud: Cloud, machine: str) -> None:
    one = ended(cloud, begin(cloud, machine, "seq 100000"))
    assert len(one.output) == 24 * 1024 and one.output.endswith("\n99999\n100000\n")
    assert one.dropped == sum(len(str(number)) + 1 for number in range(1, 100001)) - 24 * 1024


def test_one_that_takes_too_long_is_ended_with_all_it_began(cloud: Cloud, machine: str) -> None:
    one = ended(cloud, begin(cloud, machine, "echo now; sleep 4321 & sleep 4321", timeout=10), 40)
    assert (one.invocation_status, one.error_code, one.output) == ("Timeout", "ExecutionTimeout", "now\n")
    left = ended(cloud, begin(cloud, machine, "pgrep -f 'sleep 432[1]' || echo none"))
    assert left.output == "none\n"


def test_one_is_stopped(cloud: Cloud, machine: str) -> None:
    id = begin(cloud, machine, "echo begun; sleep 4322; echo over", timeout=300)
    until("it runs", lambda: told(cloud, id).output == "begun\n" or None)
    cloud.ecs.stop_invocation(m.StopInvocationRequest(**R, invoke_id=id))
    one = ended(cloud, id)
    assert (one.invocation_status, one.output, bool(one.stop_time)) == ("Terminated", "begun\n", True)
    left = ended(cloud, begin(cloud, machine, "pgrep -f 'sleep 432[2]' || echo none"))
    assert left.output == "none\n"


def test_a_machine_that_stops_interrupts_it(cloud: Cloud, machine: str) -> None:
    vpc = cloud.told(machine).vpc_attributes
    [other] = cloud.run(vpc.v_switch_id, cloud.told(machine).security_group_ids.security_group_id[0])
    cloud.reaches(other, "Running")
    id = begin(cloud, other, "sleep 4323", timeout=300)
    until("it runs", lambda: told(cloud, id).invocation_status == "Running" or None)
    cloud.ecs.stop_instance(m.StopInstanceRequest(instance_id=other, force_stop=True))
    one = ended(cloud, id, 40)
    assert (one.invocation_status, one.error_code) == ("Error", "ExecutionInterrupted")
    cloud.reaches(other, "Stopped")
    refused = ended(cloud, begin(cloud, other, "true"))
    assert (refused.invocation_status, refused.error_code) == ("Aborted", "InstanceNotRunning")


def test_it_goes_on_where_the_emulator_dies(cloud: Cloud, machine: str) -> None:
    id = begin(cloud, machine, "echo one >> /root/runs; sleep 3; wc -l < /root/runs", timeout=60)
    until("it runs", lambda: told(cloud, id).invocation_status == "Running" or None)
    port = int(cloud.url.rpartition(":")[2])
    cloud.kill()
    cloud.start(port)
    one = ended(cloud, id)
    assert (one.invocation_status, one.output) == ("Success", "1\n"), "and once only"
    again = base64.b64encode(one.output.encode()).decode()
    asked = m.DescribeInvocationResultsRequest(**R, invoke_id=id)
    [same] = cloud.ecs.describe_invocation_results(asked).body.invocation.invocation_results.invocation_result
    assert same.output == again
