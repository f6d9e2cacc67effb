"""What the plugin does when the API does not: throttling, answers that are lost, states that do not come."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from emulator.access import AccessKey
from emulator.api.faults import Fault
from emulator.cloud import Cloud
from emulator.services.vpc.model import Vpc, VSwitch
from offline.alicloud.api import Api
from offline.provider import values
from offline.provider.values import Secret
from offline.stubs import provider_pb2, status_pb2
from tests.cloud.plugins import REGION, config_of, running
from tests.cloud.running import Listener
from tests.docker.plugin import PluginClient

if TYPE_CHECKING:
    from alibabacloud_ram20150501.client import Client as Ram

NETWORK = "alicloud:vpc/network:Network"
SWITCH = "alicloud:vpc/switch:Switch"
GROUP = "alicloud:ecs/securityGroup:SecurityGroup"
KEY = "alicloud:ecs/ecsKeyPair:EcsKeyPair"
CIDR = {"cidrBlock": "10.0.0.0/8"}


@pytest.fixture
def plugin(cloud: Cloud, key: AccessKey, server: Listener) -> Iterator[PluginClient]:
    with running(cloud, key, server) as made:
        yield made


def calls(cloud: Cloud, action: str) -> list[str]:
    """The codes that calls of an action were answered with."""
    return [one.code for one in cloud.calls if one.action == action]


def test_throttling_is_waited_out(plugin: PluginClient, cloud: Cloud) -> None:
    cloud.faults.order(Fault(action="CreateVpc", times=3, code="Throttling.User", status=400))
    cloud.faults.order(Fault(action="DescribeVpcAttribute", times=2, code="ServiceUnavailable", status=503))
    began = time.monotonic()
    made = plugin.create(NETWORK, CIDR)
    assert calls(cloud, "CreateVpc") == ["Throttling.User"] * 3 + [""]
    assert time.monotonic() - began > 0.2 + 0.4 + 0.8  # each time longer
    assert plugin.read(made) is not None


def test_a_storm_of_throttling_does_not_fail_many_resources(plugin: PluginClient, cloud: Cloud) -> None:
    cloud.faults.order(Fault(action="*", per_second=10))
    failed: list[Exception] = []

    def one(i: int) -> None:
        try:
            plugin.create(NETWORK, CIDR, name=f"n{i}")
        except grpc.RpcError as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and len(cloud.store.all(Vpc, REGION)) == 9
    assert "Throttling.User" in {one.code for one in cloud.calls}


def test_a_lost_answer_makes_no_second_one(plugin: PluginClient, cloud: Cloud) -> None:
    """The retries of one creation have one client token."""
    cloud.faults.order(Fault(action="CreateVpc", times=2, cut=True))
    plugin.create(NETWORK, CIDR)
    assert len(calls(cloud, "CreateVpc")) == 3 and len(cloud.store.all(Vpc, REGION)) == 1


def test_a_lost_answer_without_a_client_token_is_looked_up(plugin: PluginClient, cloud: Cloud) -> None:
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBnNx2YvJ8v1rFh3QPJc8V2xkcv8uVX0m6eYV2tNY1Xk me@here"
    cloud.faults.order(Fault(action="ImportKeyPair", times=1, cut=True))
    made = plugin.create(KEY, {"keyPairName": "ops", "publicKey": public})
    assert made.id == "ops" and len(calls(cloud, "ImportKeyPair")) == 1
    cloud.faults.order(Fault(action="CreateKeyPair", times=1, cut=True))
    with pytest.raises(grpc.RpcError, match="no answer"):
        plugin.create(KEY, {"keyPairName": "lost"})
    assert plugin.import_(KEY, "lost") is None  # its private key is lost: it is of no use to anybody


def test_what_the_api_refuses_is_not_repeated(plugin: PluginClient, cloud: Cloud) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(NETWORK, {"cidrBlock": "300.0.0.0/8"})
    assert "CreateVpc: InvalidCidrBlock.Malformed: " in failed.value.details()
    assert len(calls(cloud, "CreateVpc")) == 1 and cloud.store.all(Vpc, REGION) == []


def _partial(error: Any) -> Any:
    sent = dict(error.trailing_metadata())["grpc-status-details-bin"]
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(sent).details[0].Unpack(detail)
    return detail


def test_what_is_made_and_then_fails_is_told_and_goes_on(plugin: PluginClient, cloud: Cloud) -> None:
    """The engine records it, so that the next `up` finishes it and `destroy` removes it: no orphan."""
    network = plugin.create(NETWORK, CIDR)
    inputs = {
        "vpcId": network.id,
        "zoneId": "cn-hangzhou-h",
        "cidrBlock": "10.1.0.0/24",
        "tags": {"a": Secret("hidden")},
    }
    cloud.faults.order(Fault(action="TagResources", times=1, code="Forbidden.RAM", status=403))
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(SWITCH, inputs)
    assert (
        "Forbidden.RAM" in failed.value.details() and "is made, but not as wanted" in failed.value.details()
    )
    detail = _partial(failed.value)
    (kept,) = cloud.store.all(VSwitch, REGION)
    assert detail.id == kept.id
    state = values.decode(detail.properties)
    assert values.reveal(state["tags"]) == {}
    answer = plugin.stub.Update(
        provider_pb2.UpdateRequest(
            urn=f"urn:pulumi:test::berth::{SWITCH}::test",
            type=SWITCH,
            id=detail.id,
            olds=detail.properties,
            news=detail.inputs,
        )
    )
    assert values.decode(answer.properties)["tags"] == {"a": Secret("hidden")}


def test_a_state_that_does_not_come_is_told_in_time(plugin: PluginClient, cloud: Cloud) -> None:
    cloud.pace = 1000
    with pytest.raises(
        grpc.RpcError, match=r"timed out while waiting for VPC vpc-\w+ to be Available"
    ) as failed:
        plugin.create(NETWORK, CIDR, timeout=1)
    assert _partial(failed.value).id == cloud.store.all(Vpc, REGION)[0].id


def test_deletion_waits_for_what_is_in_it(plugin: PluginClient, cloud: Cloud) -> None:
    network = plugin.create(NETWORK, CIDR)
    inside = plugin.create(
        SWITCH, {"vpcId": network.id, "zoneId": "cn-hangzhou-h", "cidrBlock": "10.1.0.0/24"}
    )
    timer = threading.Timer(0.5, plugin.delete, (inside,))
    timer.start()
    plugin.delete(network)
    timer.join()
    assert "DependencyViolation.VSwitch" in calls(cloud, "DeleteVpc")
    assert cloud.store.all(Vpc, REGION) == []


def test_deletion_of_what_is_in_use_ends_with_the_cause(plugin: PluginClient) -> None:
    network = plugin.create(NETWORK, CIDR)
    plugin.create(GROUP, {"vpcId": network.id})
    with pytest.raises(grpc.RpcError, match=r"DependencyViolation(.|\n)*fix: remove what still uses it"):
        plugin.delete(network, timeout=1)


def test_ctrl_c_ends_the_waiting(plugin: PluginClient, cloud: Cloud) -> None:
    cloud.faults.order(Fault(action="CreateVpc", code="Throttling", status=400))
    threading.Timer(0.4, plugin.cancel).start()
    began = time.monotonic()
    with pytest.raises(grpc.RpcError, match="cancelled"):
        plugin.create(NETWORK, CIDR)
    assert time.monotonic() - began < 5


def test_an_address_where_nobody_answers_is_told(
    cloud: Cloud, key: AccessKey, server: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offline.alicloud.api._OUT_OF_REACH", 0.5)
    with running(cloud, key, server, endpoints=[{"vpc": "127.0.0.1:9"}]) as plugin:
        assert plugin.preview(NETWORK, CIDR)["cidrBlock"] == "10.0.0.0/8"  # which needs no answer
        with pytest.raises(grpc.RpcError, match="CreateVpc: no answer from Alibaba Cloud"):
            plugin.create(NETWORK, CIDR)


def test_a_wrong_key_is_told_and_stays_secret(cloud: Cloud, key: AccessKey, server: Listener) -> None:
    with running(cloud, key, server, secretKey=Secret("wrong-secret")) as plugin:
        with pytest.raises(grpc.RpcError) as failed:
            plugin.create(NETWORK, CIDR)
        said = failed.value.details()
        assert "SignatureDoesNotMatch" in said and "check alicloud:secretKey" in said
        assert "wrong-secret" not in said


def test_a_role_is_assumed_once_and_used(cloud: Cloud, key: AccessKey, server: Listener, ram: Ram) -> None:
    from alibabacloud_ram20150501 import models

    trust = {
        "Version": "1",
        "Statement": [
            {
                "Action": "sts:AssumeRole",
                "Effect": "Allow",
                "Principal": {"RAM": [f"acs:ram::{cloud.account}:root"]},
            }
        ],
    }
    role = ram.create_role(
        models.CreateRoleRequest(role_name="deployer", assume_role_policy_document=json.dumps(trust))
    ).body.role
    ram.create_user(models.CreateUserRequest(user_name="ci"))
    ram.attach_policy_to_user(
        models.AttachPolicyToUserRequest(
            policy_name="AliyunSTSAssumeRoleAccess", policy_type="System", user_name="ci"
        )
    )
    keys = ram.create_access_key(models.CreateAccessKeyRequest(user_name="ci")).body.access_key
    config = {"accessKey": keys.access_key_id, "secretKey": keys.access_key_secret}
    assumed = {"roleArn": role.arn, "sessionName": "berth", "sessionExpiration": 900}
    with running(cloud, key, server, assumeRole=assumed, **config) as plugin:
        made = plugin.create(NETWORK, CIDR)
        assert plugin.read(made) is not None
    assert len(calls(cloud, "AssumeRole")) == 1
    assert {one.caller for one in cloud.calls if one.action == "CreateVpc"} == {"berth"}


def test_a_role_that_may_not_be_assumed_is_told(cloud: Cloud, key: AccessKey, server: Listener) -> None:
    role = {"roleArn": f"acs:ram::{cloud.account}:role/nobody", "sessionExpiration": 900}
    began = time.monotonic()
    with (
        running(cloud, key, server, assumeRole=role) as plugin,
        pytest.raises(grpc.RpcError, match=r"AssumeRole: \S+: "),
    ):
        plugin.create(NETWORK, CIDR)
    assert time.monotonic() - began < 5


def test_previews_and_differences_ask_nothing(plugin: PluginClient, cloud: Cloud) -> None:
    made = plugin.create(NETWORK, CIDR)
    cloud.calls.clear()
    plugin.diff(made, {**CIDR, "vpcName": "x"})
    plugin.preview(NETWORK, CIDR)
    assert list(cloud.calls) == []


def test_config_arrives_as_json_texts(cloud: Cloud, key: AccessKey, server: Listener) -> None:
    """So does the SDK hand lists on."""
    given = config_of(key, server)
    texts = {name: one if isinstance(one, str) else json.dumps(one) for name, one in given.items()}
    with running(cloud, key, server, **texts) as plugin:
        assert plugin.invoke("alicloud:index/getAccount:getAccount", {}) == {"id": cloud.account}


def test_an_action_takes_no_parameter_that_the_sdk_would_drop(key: AccessKey, server: Listener) -> None:
    from offline.alicloud.api import Patience
    from offline.alicloud.config import settings
    from offline.alicloud.credentials import credential

    config = config_of(key, server)
    reached = settings(config)
    api = Api(reached, lambda: credential(config, reached))
    with pytest.raises(LookupError, match="CreateVpc: the SDK knows no parameter VpcNam"):
        api.call("vpc", "CreateVpc", {"VpcNam": "x"}, Patience.of(threading.Event(), 5))


def test_without_the_sdks_it_says_how_to_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from offline.alicloud.server import Provider
    from offline.provider.resource import ResourceError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ResourceError, match=r"not installed in \.venv") as refused:
        Provider().connect({})
    assert refused.value.fix == "./berth cloud status installs them (requirements-cloud.lock)"
