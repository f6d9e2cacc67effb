"""What our component of a machine asks for: taken, made, and with no change shown afterwards."""

from __future__ import annotations

from typing import Any

from components.base import Identity
from components.cloud.capacity import LEAST
from components.cloud.ecs import Ecs, EcsSpec
from components.cloud.firewall import Doors, FirewallSpec, OperatorRange
from components.cloud.security_group import SecurityGroup
from components.units import Cidr
from emulator.cloud import Cloud
from emulator.services.ecs.model_instances import Disk, Instance
from tests.cloud.machines import IMAGE, ZONE, moving
from tests.cloud.plugin_machines import PUBLIC, plugin
from tests.docker.plugin import Made, PluginClient
from tests.unit.program import register

__all__ = ["moving", "plugin"]  # fixtures

ORDER = ["SecurityGroup", "SecurityGroupRule", "EcsKeyPair", "Instance", "EcsDisk", "EcsDiskAttachment"]
"""One needs what is before it."""
IDENTITY = Identity(stack="prod", system="host", service="machine")


def wanted(vpc: str, vswitch: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What the component registers: type, name, inputs. Ids are those of the mocks."""

    def program() -> None:
        firewall = FirewallSpec(
            vpc_cidr=Cidr("10.20.0.0/16"),
            doors=Doors(public=(8010,), intranet=(8093,)),
            operators=(OperatorRange("203.0.113.0/24"),),
        )
        group = SecurityGroup("door", firewall, identity=IDENTITY, vpc_id=vpc)
        spec = {
            "zone": ZONE,
            "instance_type": "ecs.c7.large",
            "carries": {"gateway": LEAST},
            "image": IMAGE,
            "public_key": PUBLIC,
            "data_disks": [{"role": "data", "size_gib": 100}],
        }
        Ecs(
            "machine",
            EcsSpec.model_validate(spec),
            identity=IDENTITY,
            vswitch_id=vswitch,
            group=group,
            user_data="#cloud-config\n",
        )

    found = [(one.type, one.name, dict(one.inputs)) for one in register(program)]
    return sorted((one for one in found if one[0].startswith("alicloud:")), key=_turn)


def _turn(one: tuple[str, str, dict[str, Any]]) -> int:
    return ORDER.index(one[0].rpartition(":")[2])


def real(value: Any, ids: dict[str, str]) -> Any:
    """A value, with the ids that things have got instead of the mocks'."""
    if isinstance(value, list):
        return [real(one, ids) for one in value]
    return ids.get(value, value) if isinstance(value, str) else value


def test_a_machine_of_the_component_is_made(plugin: PluginClient, moving: Cloud) -> None:
    vpc = plugin.create("alicloud:vpc/network:Network", {"cidrBlock": "10.20.0.0/16"}).id
    inside = {"vpcId": vpc, "zoneId": ZONE, "cidrBlock": "10.20.1.0/24"}
    vswitch = plugin.create("alicloud:vpc/switch:Switch", inside).id
    ids: dict[str, str] = {}
    made: list[tuple[Made, dict[str, Any]]] = []
    for token, name, given in wanted(vpc, vswitch):
        inputs = {key: real(value, ids) for key, value in given.items()}
        one = plugin.create(token, inputs, name=name)
        ids[f"{name}-id"] = one.id
        made.append((one, inputs))
    [instance] = moving.store.all(Instance)
    assert (instance.status, instance.protected, instance.http_tokens) == ("Running", True, "required")
    [data] = [disk for disk in moving.store.all(Disk) if not disk.system]
    assert (data.instance, data.encrypted, data.with_instance) == (instance.id, True, False)
    for one, inputs in made:
        assert plugin.diff(one, inputs).paths == {}, one.token
        refreshed = plugin.read(one)
        assert refreshed is not None and plugin.diff(refreshed, inputs).paths == {}, one.token
