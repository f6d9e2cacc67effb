"""From what the API keeps to what the plane builds: pure."""
from __future__ import annotations
from collections.abc import Sequence
from emulator.cloud import Cloud
from emulator.plane.wiring import Public, translation
from emulator.services.ecs.model_instances import Instance
from emulator.services.vpc.model import Vpc

def size(instance: Instance) -> tuple[int, int]:
    return 2, 4 << 30

def public(cloud: Cloud, instances: Sequence[Instance]) -> tuple[Public, ...]:
    return tuple(Public(one.public, one.address) for one in instances if one.public)

def public_key(cloud: Cloud, instance: Instance) -> str:
    return open("/tmp/lead/k.pub").read().strip()

def rules(cloud: Cloud, vpc: Vpc, instances: Sequence[Instance], publics: Sequence[Public]) -> str:
    return "\n".join(("table inet berth", "delete table inet berth", "table inet berth {", *translation(publics),"}",""))
