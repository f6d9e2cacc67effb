"""The alicloud plugin before the emulated cloud, and what each of its resources has to show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from emulator.access import AccessKey
from emulator.cloud import Cloud
from offline.alicloud.server import Provider
from offline.provider.check import without_marks
from offline.provider.process import start
from tests.cloud.running import Listener
from tests.docker.plugin import Made, PluginClient, plain

REGION = "cn-hangzhou"
PACE = 0.02
"""Steps of states take a fiftieth of their time: long enough to be waited for."""

Properties = dict[str, Any]


def config_of(key: AccessKey, server: Listener) -> dict[str, Any]:
    """The provider's config, as the official provider takes it for an API on this machine."""
    address = f"127.0.0.1:{server.port}"
    return {
        "region": REGION,
        "accessKey": key.id,
        "secretKey": key.secret,
        "protocol": "HTTP",
        "skipRegionValidation": True,
        "endpoints": [dict.fromkeys(("ecs", "vpc", "sts", "ram", "oss"), address)],
    }


@contextmanager
def running(cloud: Cloud, key: AccessKey, server: Listener, **changed: Any) -> Iterator[PluginClient]:
    """The plugin, configured. The cloud's time passes as the machine's does."""
    cloud.now = lambda: datetime.now(UTC)
    cloud.pace = PACE
    provider = Provider()
    served, port = start(provider)
    plugin = PluginClient(port)
    plugin.configure(**(config_of(key, server) | changed))
    yield plugin
    provider.cancellation.cancel_all()
    served.stop(0).wait()


@dataclass
class Life:
    """What one resource is put through.

    inputs: of the resource as it is made. updated: changes in place. replaced: changes that need a new one.
    outside: changes the object through the SDK; answers which properties a refresh must then show, and how.
    """

    token: str
    inputs: Properties
    updated: Properties = field(default_factory=dict)
    replaced: Properties = field(default_factory=dict)
    outside: Callable[[Made], Mapping[str, Any]] | None = None
    hidden: frozenset[str] = frozenset()
    """Inputs that the API does not tell, so that an import does not have them."""
    outputs: tuple[str, ...] = ()
    """Properties that must have a value beside the inputs."""
    stays: bool = False
    """What it describes is there without it, too: to delete it takes back what it set, or nothing."""


def readable(properties: Mapping[str, Any]) -> Properties:
    """The properties, with documents read: services write JSON in their own way."""
    return {
        name: json.loads(value) if isinstance(value, str) and value.startswith("{") else value
        for name, value in properties.items()
    }


def told_of(state: Mapping[str, Any], names: Mapping[str, Any]) -> Properties:
    """What a state says about some properties."""
    return readable({name: state.get(name) for name in names})


def _written(made: Made) -> Properties:
    """The inputs as a program has them."""
    inputs: Properties = without_marks(plain(made.inputs))
    return readable(inputs)


def live(plugin: PluginClient, life: Life) -> None:
    """Create, see no change, import, update, refresh, tell of a replacement, delete."""
    made = plugin.create(life.token, life.inputs)
    state = plain(made.state)
    assert told_of(state, life.inputs) == readable(life.inputs)
    assert all(state.get(name) not in (None, "") for name in life.outputs), state
    assert plugin.diff(made, life.inputs).paths == {}

    refreshed = plugin.read(made)
    assert refreshed is not None and plain(refreshed.state) == state
    assert _written(refreshed) == _written(made)
    assert plugin.diff(refreshed, life.inputs).paths == {}

    imported = plugin.import_(life.token, made.id)
    assert imported is not None
    told = {name: value for name, value in life.inputs.items() if name not in life.hidden}
    assert told_of(plain(imported.inputs), told) == readable(told)
    assert plugin.diff(imported, told).paths == {}

    if life.updated:
        wanted = {name: value for name, value in {**life.inputs, **life.updated}.items() if value is not None}
        paths = plugin.diff(made, wanted).paths
        assert paths and not any("REPLACE" in kind for kind in paths.values()), paths
        made = plugin.update(made, wanted)
        state = plain(made.state)
        assert told_of(state, wanted) == readable(wanted)
        assert plugin.diff(made, wanted).paths == {}
        again = plugin.read(made)
        assert again is not None and plain(again.state) == state
    else:
        wanted = life.inputs

    for name, value in life.replaced.items():
        changed = {key: one for key, one in {**wanted, name: value}.items() if one is not None}
        assert name in plugin.diff(made, changed).replaces, name

    if life.outside is not None:
        seen = life.outside(made)
        drifted = plugin.read(made)
        assert drifted is not None
        assert told_of(plain(drifted.state), seen) == readable(seen)
        assert {path.split("[")[0].split(".")[0] for path in plugin.diff(drifted, wanted).paths} == set(seen)
        made = plugin.update(drifted, wanted)
        assert told_of(plain(made.state), wanted) == readable(wanted)

    plugin.delete(made)
    if life.stays:
        return
    assert plugin.read(made) is None
    assert plugin.import_(life.token, made.id) is None
    plugin.delete(made)  # what is gone already is no error
