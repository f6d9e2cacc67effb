"""Cloud Assistant's commands by the SDK: kept, changed, listed. Running them has a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m

from emulator.cloud import Cloud
from emulator.services.ecs import commands
from emulator.services.ecs.model_commands import Command
from tests.cloud.assistants import (
    coded,
    create,
    described,
    minute,
)
from tests.cloud.conftest import Refused
from tests.cloud.machines import R
from tests.cloud.raw import Raw
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs


def test_a_command_is_made_described_changed_and_deleted(ecs: Ecs, clock: Clock, refused: Refused) -> None:
    made = create(
        ecs,
        command_content=coded("echo {{word}} {{ Other }} {{WORD}} {{acs::InstanceId}}"),
        description="says hello",
        timeout=100,
        working_dir="/srv",
        enable_parameter=True,
        resource_group_id="rg-a",
        tag=[m.CreateCommandRequestTag(key="team", value="a")],
    )
    assert made.startswith("c-")
    [one] = described(ecs, command_id=made)
    assert one.to_map() == {
        "CommandId": made,
        "Name": "greet",
        "Description": "says hello",
        "Type": "RunShellScript",
        "CommandContent": coded("echo {{word}} {{ Other }} {{WORD}} {{acs::InstanceId}}"),
        "WorkingDir": "/srv",
        "Timeout": 100,
        "EnableParameter": True,
        "ParameterNames": {"ParameterName": ["word", "Other"]},
        "ParameterDefinitions": {"ParameterDefinition": []},
        "InvokeTimes": 0,
        "CreationTime": minute(clock),
        "Category": "",
        "Provider": "",
        "Latest": False,
        "Version": 1,
        "Launcher": "",
        "ResourceGroupId": "rg-a",
        "Tags": {"Tag": [{"TagKey": "team", "TagValue": "a"}]},
    }
    ecs.modify_command(
        m.ModifyCommandRequest(
            **R, command_id=made, name="other", description="", timeout=10, working_dir="/tmp"
        )
    )
    [changed] = described(ecs, content_encoding="PlainText")
    assert changed.to_map() == one.to_map() | {
        "Name": "other",
        "Description": "",
        "Timeout": 10,
        "WorkingDir": "/tmp",
        "CommandContent": "echo {{word}} {{ Other }} {{WORD}} {{acs::InstanceId}}",
    }
    ecs.delete_command(m.DeleteCommandRequest(**R, command_id=made))
    assert described(ecs) == []
    with refused("InvalidCmdId.NotFound", 404):
        ecs.delete_command(m.DeleteCommandRequest(**R, command_id=made))
    with refused("InvalidCmdId.NotFound", 404):
        ecs.modify_command(m.ModifyCommandRequest(**R, command_id=made, name="x"))


def test_contents_come_in_base64_or_plain(ecs: Ecs) -> None:
    made = create(ecs, command_content="echo plain", content_encoding="PlainText")
    assert described(ecs, command_id=made)[0].command_content == coded("echo plain")
    made = create(ecs, content_encoding="strange")  # taken for Base64
    assert described(ecs, command_id=made, content_encoding="PlainText")[0].command_content == "echo hello"


def test_commands_are_found_by_what_they_are(ecs: Ecs) -> None:
    a = create(ecs, name="deploy-a", description="first", tag=[m.CreateCommandRequestTag(key="k", value="1")])
    b = create(ecs, name="deploy-b", type="RunBatScript", resource_group_id="rg-b")
    c = create(ecs, name="check", working_dir="/srv")

    def ids(**wanted: Any) -> list[str]:
        return [one.command_id for one in described(ecs, **wanted)]

    assert ids() == [c, b, a]
    assert ids(name="deploy*") == [b, a]
    assert ids(name="deploy") == []
    assert ids(description="f*t") == [a]
    assert ids(type="RunBatScript") == [b]
    assert ids(resource_group_id="rg-b") == [b]
    assert ids(tag=[m.DescribeCommandsRequestTag(key="k", value="1")]) == [a]
    assert ids(provider="AlibabaCloud") == []
    assert ids(command_id="c-none") == []
    assert ids(page_size=2, page_number=2) == [a]
    asked = m.DescribeCommandsRequest(**R, max_results=2)
    body = ecs.describe_commands(asked).body
    assert [one.command_id for one in body.commands.command] == [c, b] and body.total_count == 3
    assert ids(max_results=2, next_token=body.next_token) == [a]
    elsewhere = m.DescribeCommandsRequest(region_id="cn-beijing")
    assert ecs.describe_commands(elsewhere).body.commands.command == []


@pytest.mark.parametrize(
    ("changed", "code", "status"),
    [
        ({"type": "RunRubyScript"}, "InvalidCmdType.NotFound", 404),
        ({"name": "x" * 129}, "CmdName.ExceedLimit", 403),
        ({"name": ""}, "MissingParameter", 400),
        ({"description": "x" * 513}, "CmdDesc.ExceedLimit", 403),
        ({"command_content": "no base64!"}, "CmdContent.DecodeError", 400),
        ({"command_content": coded("x" * 18433)}, "CmdContent.ExceedLimit", 403),
        ({"timeout": 9}, "InvalidParameter.Timeout", 400),
        ({"timeout": 86401}, "InvalidTimeout.ExceedLimit", 403),
        ({"working_dir": "/" + "x" * 200}, "InvalidParameter.WorkingDir", 400),
        ({"command_content": coded("{{ }}"), "enable_parameter": True}, "CmdParam.EmptyKey", 400),
        ({"command_content": coded("{{a b}}"), "enable_parameter": True}, "CmdParam.InvalidParamName", 400),
        (
            {"command_content": coded("{{acs::none}}"), "enable_parameter": True},
            "CmdParam.InvalidParamName",
            400,
        ),
        (
            {"command_content": coded("{{" + "x" * 65 + "}}"), "enable_parameter": True},
            "CmdParamName.ExceedLimit",
            403,
        ),
        (
            {"command_content": coded("".join(f"{{{{p{n}}}}}" for n in range(21))), "enable_parameter": True},
            "CmdParamCount.ExceedLimit",
            403,
        ),
        ({"launcher": "python3 -u {{ACS::ScriptFileName}}"}, "UnsupportedParameter.Emulator", 400),
        ({"tag": [m.CreateCommandRequestTag(key="acs:x", value="")]}, "InvalidTagKey.Malformed", 400),
    ],
)
def test_a_command_that_cannot_be(
    ecs: Ecs, refused: Refused, changed: dict[str, Any], code: str, status: int
) -> None:
    with refused(code, status):
        create(ecs, **changed)
    assert described(ecs) == []


def test_what_is_missing_is_named(raw: Raw) -> None:
    for name in ("Name", "Type", "CommandContent"):
        given = {"RegionId": R["region_id"], "Name": "a", "Type": "RunShellScript", "CommandContent": "aGk="}
        del given[name]
        assert raw.ask("ecs", "CreateCommand", **given).code == f"Missing{name}"
    for action, name in (
        ("DeleteCommand", "CommandId"),
        ("InvokeCommand", "CommandId"),
        ("RunCommand", "Type"),
        ("StopInvocation", "InvokeId"),
    ):
        assert raw.ask("ecs", action, RegionId=R["region_id"]).code == f"Missing{name}"


def test_the_quota_of_commands(ecs: Ecs, cloud: Cloud, refused: Refused) -> None:
    create(ecs)
    [one] = cloud.store.all(Command)
    with cloud.store.transaction():
        for number in range(commands.MOST - 1):
            cloud.store.put(one.but(id=f"c-{number}"))
    with refused("CmdCount.ExceedQuota", 403):
        create(ecs)
    body = ecs.describe_commands(m.DescribeCommandsRequest(**R, page_size=50)).body
    assert (body.total_count, len(body.commands.command)) == (500, 50)
    with refused("InvalidParam.PageSize"):
        described(ecs, page_size=51)


def test_one_client_token_makes_one_command(ecs: Ecs) -> None:
    assert create(ecs, client_token="t") == create(ecs, client_token="t")
    assert len(described(ecs)) == 1
