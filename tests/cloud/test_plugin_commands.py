"""Commands and invocations through the plugin. The cloud's machines are played: they run nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from emulator.api.faults import Fault
from emulator.cloud import Cloud
from emulator.services.ecs import invocations
from emulator.services.ecs.model_commands import Command, Invocation, Run, Status
from tests.cloud.machines import moving
from tests.cloud.plugin_machines import INSTANCE, calls, least, network, plugin
from tests.cloud.plugins import Life, live
from tests.docker.plugin import CheckFailed, Made, PluginClient, plain

__all__ = ["least", "moving", "network", "plugin"]  # fixtures

COMMAND = "alicloud:ecs/command:Command"
INVOCATION = "alicloud:ecs/ecsInvocation:EcsInvocation"
READY = base64.b64encode(b"echo {{word}}").decode()


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Played:
    """What the machines make of what they are told to run: how it ends, at the next look of anybody."""

    def __init__(self, cloud: Cloud) -> None:
        self.status: Status = "Success"
        self.error = ""
        self.more: dict[str, Any] = {"exit_code": 0, "output": coded("done\n")}
        self._cloud, self._before = cloud, cloud.settle
        cloud.machines = True
        cloud.settle = self._settle

    def _settle(self) -> None:
        self._before()
        for one in self._cloud.store.all(Run):
            if one.status == "Pending" and one.created < self._cloud.now():
                begun = one.but(started=self._cloud.now())
                self._cloud.store.put(
                    invocations.ended(begun, self._cloud.now(), self.status, self.error, **self.more)
                )


@pytest.fixture
def played(moving: Cloud, plugin: PluginClient) -> Iterator[Played]:
    yield Played(moving)


@pytest.fixture
def machine(plugin: PluginClient, least: dict[str, Any]) -> Made:
    return plugin.create(INSTANCE, least)


def test_a_command_lives(plugin: PluginClient) -> None:
    live(
        plugin,
        Life(
            COMMAND,
            {
                "name": "ready",
                "type": "RunShellScript",
                "commandContent": READY,
                "description": "says a word",
                "enableParameter": True,
                "timeout": 30,
                "workingDir": "/tmp",
            },
            replaced={
                "name": "other",
                "type": "RunBatScript",
                "commandContent": coded("true"),
                "description": None,
                "enableParameter": False,
                "timeout": 60,
                "workingDir": None,
            },
        ),
    )


def test_what_is_not_said_of_a_command(plugin: PluginClient) -> None:
    made = plugin.create(COMMAND, {"name": "ready", "type": "RunShellScript", "commandContent": READY})
    assert {name: plain(made.state)[name] for name in ("timeout", "enableParameter")} == {
        "timeout": 60,
        "enableParameter": False,
    }
    with pytest.raises(CheckFailed, match="must be one of RunBatScript, RunPowerShellScript, RunShellScript"):
        plugin.create(COMMAND, {"name": "ready", "type": "Perl", "commandContent": READY})


def test_an_answer_that_is_lost_makes_no_second_command(
    plugin: PluginClient,
    moving: Cloud,
) -> None:
    moving.faults.order(Fault(action="CreateCommand", cut=True, times=1))
    made = plugin.create(COMMAND, {"name": "ready", "type": "RunShellScript", "commandContent": READY})
    assert [one.id for one in moving.store.all(Command)] == [made.id]


def test_an_invocation_is_there_once_it_ended_well(
    plugin: PluginClient,
    moving: Cloud,
    machine: Made,
    played: Played,
) -> None:
    command = plugin.create(
        COMMAND, {"name": "r", "type": "RunShellScript", "commandContent": READY, "enableParameter": True}
    )
    inputs = {"commandId": command.id, "instanceIds": [machine.id], "parameters": {"word": "a"}}
    made = plugin.create(INVOCATION, inputs)
    state = plain(made.state)
    assert {name: state[name] for name in (*inputs, "status", "repeatMode", "timed")} == {
        **inputs,
        "status": "Success",
        "repeatMode": "Once",
        "timed": False,
    }
    assert plugin.diff(made, inputs).paths == {}
    read = plugin.read(made)
    assert read is not None and plain(read.state) == state and plugin.diff(read, inputs).paths == {}
    imported = plugin.import_(INVOCATION, made.id)
    assert imported is not None and plain(imported.inputs) == {**inputs, "repeatMode": "Once"}
    assert plugin.diff(imported, inputs).paths == {}
    for name, value in {
        "commandId": "c-other",
        "instanceIds": ["i-other"],
        "parameters": {"word": "b"},
        "username": "daemon",
        "repeatMode": "EveryReboot",
        "timed": True,
        "windowsPasswordName": "w",
    }.items():
        assert plugin.diff(made, {**inputs, name: value}).replaces == [name]
    assert plugin.diff(made, {**inputs, "frequency": "rate(1d)"}).paths == {}, "of what runs once, nothing"
    plugin.delete(made)
    assert calls(moving, "InvokeCommand", "StopInvocation") == ["InvokeCommand", "StopInvocation"]
    moving.store.remove(moving.store.all(Invocation)[0])
    assert plugin.read(made) is None
    plugin.delete(made)


def test_one_that_failed_says_why_and_is_invoked_anew(
    plugin: PluginClient,
    moving: Cloud,
    machine: Made,
    played: Played,
) -> None:
    command = plugin.create(COMMAND, {"name": "r", "type": "RunShellScript", "commandContent": READY})
    inputs = {"commandId": command.id, "instanceIds": [machine.id]}
    played.status, played.error = "Failed", "ExitCodeNonzero"
    played.more = {"exit_code": 3, "output": coded("first\nno such file\n")}
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(INVOCATION, inputs)
    said = failed.value.details()
    assert f"is Failed: {machine.id}: the command execution exit code is not zero., exit code 3" in said
    assert "it printed:\nfirst\nno such file" in said and "it is invoked anew" in said
    played.status, played.error, played.more = "Success", "", {"exit_code": 0}
    plugin.create(INVOCATION, inputs)
    assert len(moving.store.all(Invocation)) == 2


def test_a_lost_answer_invokes_nothing_twice(
    plugin: PluginClient,
    moving: Cloud,
    machine: Made,
    played: Played,
) -> None:
    command = plugin.create(COMMAND, {"name": "r", "type": "RunShellScript", "commandContent": READY})
    moving.faults.order(Fault(action="InvokeCommand", cut=True, times=1))
    made = plugin.create(INVOCATION, {"commandId": command.id, "instanceIds": [machine.id]})
    assert [one.id for one in moving.store.all(Invocation)] == [made.id]
