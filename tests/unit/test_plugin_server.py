"""The service behind gRPC, with a resource that needs no engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from google.protobuf import empty_pb2

from offline.docker import server
from offline.docker.server import Provider
from offline.provider import values
from offline.provider.process import start
from offline.provider.resource import UNKNOWN, Context, Field, PartialCreate, Resource, ResourceError
from offline.provider.values import Secret
from offline.stubs import engine_pb2_grpc, provider_pb2, status_pb2
from tests.docker.plugin import CheckFailed, Made, PluginClient, plain

NETWORK = "docker:index/network:Network"
URN = f"urn:pulumi:test::berth::{NETWORK}::test"
VOLUME = "docker:index/volume:Volume"


class Box(Resource):
    """A network that exists in memory only, and does what its `driver` says."""

    type: ClassVar[str] = NETWORK
    schema_version: ClassVar[int] = 3
    fields: ClassVar[Mapping[str, Field]] = {
        "name": Field(replace=True),
        "driver": Field(computed=True),
        "options": Field(),
        "labels": Field(nested={"label": Field(), "value": Field()}),
        "ipamDriver": Field(default="default"),
    }
    contexts: ClassVar[list[Context]] = []
    together: ClassVar[threading.Barrier] = threading.Barrier(12)

    def create(self, ctx: Context, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        self.contexts.append(ctx)
        match inputs.get("driver"):
            case "tells":
                raise ResourceError(f"cannot use {inputs['options']['password']}", fix="try another")
            case "half":
                raise PartialCreate("never healthy", id="box-1", state=dict(inputs))
            case "talks":
                ctx.log(f"pulling with {inputs['options']['password']}")
                ctx.warn(f"{inputs['options']['password']} is weak")
            case "defect":
                raise KeyError("x")
            case "waits":
                assert ctx.cancelled.wait(10)
                raise ResourceError("cancelled")
            case "together":
                self.together.wait(10)
            case "others":
                assert not ctx.cancelled.is_set()
            case "late":
                assert ctx.cancelled.wait(10)
        return "box-1", {**inputs, "scope": "local"}

    def read(
        self, ctx: Context, id: str, inputs: dict[str, Any], state: dict[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
        return id, inputs, state

    def update(self, ctx: Context, id: str, state: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
        return {**state, **inputs}

    def delete(self, ctx: Context, id: str, state: dict[str, Any]) -> None:
        self.contexts.append(ctx)


@pytest.fixture
def provider() -> Iterator[Provider]:
    yield Provider()


@pytest.fixture
def real(provider: Provider) -> Iterator[PluginClient]:
    """The plugin with its own resources, and an engine that does not exist."""
    served, port = start(provider)
    yield PluginClient(port)
    served.stop(0).wait()


@pytest.fixture
def plugin(real: PluginClient, monkeypatch: pytest.MonkeyPatch) -> PluginClient:
    monkeypatch.setattr(server, "resource", lambda token: Box())
    Box.contexts.clear()
    return real


def test_secrets_stay_secret_on_every_level(plugin: PluginClient) -> None:
    made = plugin.create(
        NETWORK,
        {
            "options": {"password": Secret("hunter2"), "user": "me"},
            "labels": [{"label": "l", "value": Secret("v")}],
        },
    )
    for properties in (made.inputs, made.state):
        assert properties["options"]["password"] == Secret("hunter2")
        assert properties["options"]["user"] == "me"
        assert isinstance(properties["labels"], Secret)
    read = plugin.read(made)
    assert read is not None and read.state["options"]["password"] == Secret("hunter2")
    assert not plugin.diff(made, values.reveal(plain(made.inputs)))


def test_secrets_stay_out_of_errors(plugin: PluginClient) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(NETWORK, {"driver": "tells", "options": {"password": Secret("hunter2")}})
    assert failed.value.details() == "cannot use [secret]\n  fix: try another"


def test_what_exists_after_a_failure_is_told_with_its_secrets(plugin: PluginClient) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(NETWORK, {"driver": "half", "options": {"password": Secret("hunter2")}})
    sent = dict(failed.value.trailing_metadata())["grpc-status-details-bin"]
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(sent).details[0].Unpack(detail)
    assert detail.id == "box-1" and list(detail.reasons) == ["never healthy"]
    state = values.decode(detail.properties)
    assert state["options"]["password"] == Secret("hunter2") and state["__meta"] == '{"schema_version":"3"}'


def test_what_cannot_change_is_looked_at_again_after_a_failure(
    plugin: PluginClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Box, "update")
    monkeypatch.setattr(Box, "read", lambda *_: ("box-1", {}, {"name": "a", "driver": "d"}))
    made = Made(NETWORK, "test", "box-1", {"name": "a"}, {"name": "a"})
    assert plain(plugin.update(made, {"name": "a"}).state) == {"name": "a", "driver": "d"}
    with pytest.raises(grpc.RpcError, match="cannot change in place: options"):
        plugin.update(made, {"name": "a", "options": {"x": "1"}})
    monkeypatch.setattr(Box, "read", lambda *_: None)
    with pytest.raises(grpc.RpcError, match="is gone"):
        plugin.update(made, {"name": "a"})


def test_a_defect_shows_its_place(plugin: PluginClient) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(NETWORK, {"driver": "defect"})
    assert (
        "defect of the docker plugin" in failed.value.details()
        and "test_plugin_server.py" in failed.value.details()
    )


def test_a_preview_knows_what_it_cannot_know(plugin: PluginClient) -> None:
    foreseen = plugin.preview(NETWORK, {"options": {"a": UNKNOWN}, "labels": UNKNOWN})
    assert foreseen["scope"] is UNKNOWN and foreseen["driver"] is UNKNOWN
    assert foreseen["options"] == {"a": UNKNOWN} and foreseen["labels"] is UNKNOWN
    assert foreseen["name"].startswith("test-")


def test_the_preview_of_an_update_keeps_what_was_computed(plugin: PluginClient) -> None:
    made = plugin.create(NETWORK, {"options": {"a": "1"}})
    answer = plugin.stub.Update(
        provider_pb2.UpdateRequest(
            urn=f"urn:pulumi:t::p::{NETWORK}::test",
            type=NETWORK,
            id=made.id,
            olds=values.encode(made.state),
            news=values.encode({**made.inputs, "options": {"a": "2"}}),
            preview=True,
        )
    )
    foreseen = values.decode(answer.properties)
    assert foreseen["scope"] == "local" and foreseen["options"] == {"a": "2"}


def test_state_says_which_schema_it_has(plugin: PluginClient) -> None:
    assert plugin.create(NETWORK, {}).state["__meta"] == '{"schema_version":"3"}'


def test_unknown_needs_a_new_object_where_a_change_would(plugin: PluginClient) -> None:
    made = plugin.create(NETWORK, {"name": "a"})
    assert plugin.diff(made, {"name": UNKNOWN}).paths == {"name": "UPDATE_REPLACE"}


def test_timeouts_and_urn_reach_the_resource(plugin: PluginClient) -> None:
    made = plugin.create(NETWORK, {}, timeout=42)
    plugin.delete(made)
    assert [(c.timeout, c.urn.split("::")[-1]) for c in Box.contexts] == [(42, "test"), (None, "test")]


def test_cancel_reaches_what_is_waiting(plugin: PluginClient) -> None:
    timer = threading.Timer(0.2, plugin.cancel)
    timer.start()
    with pytest.raises(grpc.RpcError, match="cancelled"):
        plugin.create(NETWORK, {"driver": "waits"})
    timer.join()


def _lost(plugin: PluginClient, driver: str) -> list[Context]:
    """Create, and end the call from the engine's side; the contexts of what the resource was then asked."""
    checked = plugin.check(NETWORK, {"driver": driver})
    request = provider_pb2.CreateRequest(type=NETWORK, urn=URN, properties=values.encode(checked))
    call = plugin.stub.Create.future(request)
    until(lambda: bool(Box.contexts))
    call.cancel()
    until(Box.contexts[0].cancelled.is_set)
    return Box.contexts


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_nobody_waits_for_ends_and_others_go_on(plugin: PluginClient) -> None:
    others = plugin.check(NETWORK, {"driver": "others"})
    assert len(_lost(plugin, "waits")) == 1
    request = provider_pb2.CreateRequest(type=NETWORK, urn=URN, properties=values.encode(others))
    assert plugin.stub.Create(request).id == "box-1"


def test_a_creation_whose_answer_is_lost_is_undone(plugin: PluginClient) -> None:
    contexts = _lost(plugin, "late")
    until(lambda: len(contexts) == 2)
    assert not contexts[1].cancelled.is_set()  # the removal itself may take its time


def test_resources_work_side_by_side(plugin: PluginClient) -> None:
    failed: list[Exception] = []

    def one(i: int) -> None:
        try:
            plugin.create(NETWORK, {"driver": "together"}, name=f"n{i}")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(Box.together.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_engine_modes_of_automatic_names(plugin: PluginClient) -> None:
    options = provider_pb2.CheckRequest.AutonamingOptions

    def check(**autonaming: Any) -> Any:
        request = provider_pb2.CheckRequest(urn=f"urn:pulumi:t::p::{NETWORK}::x", type=NETWORK, name="x")
        request.autonaming.CopyFrom(options(**autonaming))
        return plugin.stub.Check(request)

    assert values.decode(check(proposed_name="x-9").inputs)["name"] == "x-9"
    with pytest.raises(grpc.RpcError, match="automatic names are off"):
        check(mode=options.DISABLE)


class Listener(engine_pb2_grpc.EngineServicer):
    """A Pulumi engine that only listens."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the method on the wire
        self.heard.append(request)
        return empty_pb2.Empty()


def test_messages_reach_the_engine_without_secrets(plugin: PluginClient) -> None:
    listener = Listener()
    engine = grpc.server(futures.ThreadPoolExecutor(1))
    engine_pb2_grpc.add_EngineServicer_to_server(listener, engine)
    port = engine.add_insecure_port("127.0.0.1:0")
    engine.start()
    plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=f"127.0.0.1:{port}"))
    plugin.create(NETWORK, {"driver": "talks", "options": {"password": Secret("hunter2")}})
    engine.stop(0).wait()
    said = [(m.message, m.ephemeral, m.urn.split("::")[-1]) for m in listener.heard]
    assert said == [("pulling with [secret]", True, "test"), ("[secret] is weak", False, "test")]


def test_the_plugin_tells_what_it_is(real: PluginClient) -> None:
    assert real.stub.GetPluginInfo(empty_pb2.Empty()).version == "5.1.0"
    schema = json.loads(real.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    assert schema["name"] == "docker" and NETWORK in schema["resources"]
    shaken = real.stub.Handshake(provider_pb2.ProviderHandshakeRequest())
    assert shaken.accept_secrets and shaken.supports_autonaming_configuration
    assert not real.stub.GetMapping(provider_pb2.GetMappingRequest(key="terraform")).data


@pytest.mark.parametrize("method", ["Parameterize", "Construct", "Call"])
def test_methods_that_are_not_served_say_so(real: PluginClient, method: str) -> None:
    requests = {"Parameterize": provider_pb2.ParameterizeRequest, "Construct": provider_pb2.ConstructRequest}
    with pytest.raises(grpc.RpcError, match="the docker provider"):
        getattr(real.stub, method)(requests.get(method, provider_pb2.CallRequest)())


def test_registry_passwords_stay_out_of_errors(real: PluginClient, provider: Provider) -> None:
    real.configure(registryAuth=Secret('[{"address": "r:5000", "username": "u", "password": "hunter2"}]'))
    assert "hunter2" in provider.secrets


@pytest.mark.parametrize("token", ["docker:index/secret:Secret", "docker:index/nothing:Nothing"])
def test_types_that_are_not_served_are_refused_by_name(real: PluginClient, token: str) -> None:
    with pytest.raises(grpc.RpcError, match=f"{token} is no"):
        real.check(token, {})


def test_functions_that_are_not_served_are_refused_by_name(real: PluginClient) -> None:
    with pytest.raises(grpc.RpcError, match="getPlugin is not served"):
        real.invoke("docker:index/getPlugin:getPlugin", {})
    with pytest.raises(CheckFailed, match="no such argument; there are name"):
        real.invoke("docker:index/getNetwork:getNetwork", {"nmae": "x"})


def test_without_an_engine_a_new_stack_previews_and_an_update_fails_clearly(
    real: PluginClient, tmp_path: Path
) -> None:
    real.configure(host=f"unix://{tmp_path}/none.sock")
    assert real.preview(NETWORK, {"name": "x"})["scope"] is UNKNOWN
    with pytest.raises(grpc.RpcError) as failed:
        real.create(NETWORK, {"name": "x"})
    assert f"no Docker engine answers at unix://{tmp_path}/none.sock" in failed.value.details()


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"hots": "x"}, "hots"),
        ({"registryAuth": '[{"adress": "x"}]'}, "registryAuth[0].adress"),
        ({"registryAuth": "[{}]"}, "registryAuth[0].address"),
        ({"disableDockerDaemonCheck": "perhaps"}, "disableDockerDaemonCheck"),
    ],
)
def test_wrong_config_is_named(real: PluginClient, config: dict[str, str], path: str) -> None:
    request = provider_pb2.CheckRequest(news=values.encode(config))
    assert path in [failure.property for failure in real.stub.CheckConfig(request).failures]
    with pytest.raises(grpc.RpcError) as failed:
        real.configure(**config)
    assert path in failed.value.details()


def test_config_that_changes_never_replaces(real: PluginClient) -> None:
    answer = real.stub.DiffConfig(
        provider_pb2.DiffRequest(
            old_inputs=values.encode({"host": "unix:///a"}),
            news=values.encode({"host": "unix:///b", "sshOpts": '["-v"]'}),
        )
    )
    assert sorted(answer.diffs) == ["host", "sshOpts"] and not answer.replaces


OFFICIAL = [
    Made(
        NETWORK,
        "net",
        "f00d",
        {
            "__defaults": ["ipamDriver", "name"],
            "ipamDriver": "default",
            "internal": True,
            "name": "net-1a2b3c4",
        },
        {
            "__meta": '{"schema_version":"1"}',
            "attachable": False,
            "driver": "bridge",
            "id": "f00d",
            "ingress": False,
            "internal": True,
            "ipamConfigs": [
                {"auxAddress": {}, "gateway": "172.18.0.1", "ipRange": "", "subnet": "172.18.0.0/16"}
            ],
            "ipamDriver": "default",
            "ipamOptions": {},
            "ipv6": False,
            "labels": [],
            "name": "net-1a2b3c4",
            "options": {},
            "scope": "local",
        },
    ),
    Made(
        VOLUME,
        "vol",
        "vol-1a2b3c4",
        {"__defaults": ["name"], "name": "vol-1a2b3c4"},
        {
            "__meta": '{"schema_version":"1"}',
            "cluster": None,
            "driver": "local",
            "driverOpts": {},
            "id": "vol-1a2b3c4",
            "labels": [],
            "mountpoint": "/var/lib/docker/volumes/vol-1a2b3c4/_data",
            "name": "vol-1a2b3c4",
        },
    ),
]


@pytest.mark.parametrize("made", OFFICIAL, ids=lambda made: made.name)
def test_a_state_of_the_official_provider_goes_on_unchanged(real: PluginClient, made: Made) -> None:
    given = {"internal": True} if made.token == NETWORK else {}
    assert not real.diff(made, given)
    checked = real.check(made.token, given, olds=made.inputs, name=made.name)
    assert checked == made.inputs
