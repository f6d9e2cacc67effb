"""What a rule is: a name, the resource types it reads, and a function from inputs to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from policies.node import Node

CONTAINER: Final = "docker:index/container:Container"
SERVICE: Final = "docker:index/service:Service"
VOLUME: Final = "docker:index/volume:Volume"
NETWORK: Final = "docker:index/network:Network"
IMAGE: Final = "docker:index/image:Image"
REMOTE_IMAGE: Final = "docker:index/remoteImage:RemoteImage"
SECURITY_GROUP_RULE: Final = "alicloud:ecs/securityGroupRule:SecurityGroupRule"


@dataclass(frozen=True, slots=True)
class Violation:
    """A property whose value breaks the rule. `shown` is the value as a reader may see it: never a secret."""

    path: str
    shown: str
    why: str
    fix: str

    def message(self, resource: str) -> str:
        """One line: resource, property, value, reason, fix."""
        return f"{resource}: {self.path} is {self.shown}: {self.why}. Fix: {self.fix}."


@dataclass(frozen=True, slots=True)
class Pending:
    """A property whose value the engine does not know yet, so that the rule could not be decided for it.

    It happens in a preview only: in an update every input is known before the engine acts on the resource, so
    the same rules see it again, and a violation stops it before it is created.
    """

    path: str


Finding = Violation | Pending
Check = Callable[[Node], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with one check per resource type; a type without a check is none of its business."""

    name: str
    description: str
    checks: Mapping[str, Check]

    def findings(self, resource_type: str, inputs: Node) -> list[Finding]:
        """What the rule finds in the inputs of one resource."""
        check = self.checks.get(resource_type)
        return list(check(inputs)) if check else []


def undecided(resource: str, paths: Iterable[str]) -> str:
    """One line: resource, the properties that are not known, and when they will be."""
    return (
        f"{resource}: not known in this preview, and checked by the update before it acts: {', '.join(paths)}"
    )


def shown(node: Node) -> str:
    """A value for a message: strings quoted, a missing value called so, a secret hidden."""
    if node.secret:
        return "[secret]"
    return "not set" if node.value is None else repr(node.value)
