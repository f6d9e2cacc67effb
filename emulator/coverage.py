"""What is served of the APIs, held against the official SDKs: writes COVERAGE.md.

    python -m emulator.coverage          writes it
    python -m emulator.coverage --check  says whether it is current

Which fields were answered, and to whom, stands in `answered.json`; the tests write it down from the answers
that clients really got (`BERTH_ANSWERED=1 pytest tests/cloud`). The SDKs are needed here and nowhere else in
the emulator.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel

from emulator.api.dispatch import Action, Service

FOLDER: Final = Path(__file__).parent
PAGE: Final = FOLDER / "COVERAGE.md"
ANSWERED: Final = FOLDER / "answered.json"
_MODELS: Final = {
    "ecs": "alibabacloud_ecs20140526.models",
    "vpc": "alibabacloud_vpc20160428.models",
    "sts": "alibabacloud_sts20150401.models",
    "ram": "alibabacloud_ram20150501.models",
}
_CALLERS: Final = frozenset(("OwnerAccount", "OwnerId", "ResourceOwnerAccount", "ResourceOwnerId"))
"""Of every request, from before there were access keys of users: an answer does not depend on them."""

SENT_BY_OTHERS: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("ecs", "DescribeInstanceTypes"): frozenset(("InstanceType", "SystemDiskCategory")),
    ("ram", "UntagResources"): frozenset(("TagKey",)),
}
"""By product and action: parameters that the official Terraform provider sends and the SDK does not know."""

Answered = dict[str, dict[str, dict[str, list[str]]]]
"""By product and action: `fields`, as paths like `Vpcs.Vpc.VpcId`, and `clients`."""


@dataclass(frozen=True)
class Kind:
    """What the SDK takes a value for: the name of its type, or the model of its own that it has."""

    name: str
    model: type | None
    listed: bool
    """Whether it is a list of them."""


@cache
def kinds(model: type) -> dict[str, Kind]:
    """The fields of an SDK's model, by their names on the wire: read from the code that reads them."""
    source = inspect.getsource(model.from_map)  # type: ignore[attr-defined]
    types = {
        name: str(one.annotation)
        for name, one in inspect.signature(model.__init__).parameters.items()  # type: ignore[misc]
    }
    module = importlib.import_module(model.__module__.rpartition(".")[0])
    found: dict[str, Kind] = {}
    for part in source.split("if m.get('")[1:]:
        name = part.partition("'")[0]
        attribute = re.search(r"self\.(\w+)", part.replace("self.get", ""))
        if attribute is None:
            raise LookupError(f"{model.__name__}.{name}: the SDK reads it in a way that is not known here")
        type_ = types[attribute[1]]
        nested = re.search(r"main_models\.(\w+)\(\)", part)
        found[name] = Kind(
            type_.removeprefix("List[").removesuffix("]") if type_.startswith("List[") else type_,
            getattr(module, nested[1]) if nested else None,
            type_.startswith("List["),
        )
    return found


def paths(model: type, above: str = "") -> Iterator[str]:
    """All fields of a model and of those in it."""
    for name, kind in kinds(model).items():
        yield f"{above}{name}"
        if kind.model is not None:
            yield from paths(kind.model, f"{above}{name}.")


def answer_of(product: str, action: str) -> type:
    """The SDK's model of an answer. Raises LookupError where it knows no such action."""
    return _model(product, f"{action}ResponseBody")


def _model(product: str, name: str) -> type:
    models = importlib.import_module(_MODELS[product])
    # Some names of Alibaba's have other capitals in the SDK: UnTagResources is UntagResources there, too.
    by_name = {known.lower(): known for known in dir(models)}
    if name.lower() not in by_name:
        raise LookupError(f"the SDK of {product} has no {name}")
    found = getattr(models, by_name[name.lower()])
    assert isinstance(found, type)
    return found


def known_parameters(product: str, action: str) -> set[str]:
    """What the SDK can send with the action."""
    try:
        model = _model(product, f"{action}Request")
    except LookupError:  # an action without parameters has no model
        answer_of(product, action)
        return set()
    return {path for path in paths(model) if path.partition(".")[0] not in _CALLERS}


def served_parameters(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """What the emulator takes."""
    for field in model.model_fields.values():
        yield f"{above}{field.alias}"
        for nested in _nested(field.annotation):
            yield from served_parameters(nested, f"{above}{field.alias}.")


def _nested(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    else:
        for arm in get_args(kind):
            yield from _nested(arm)


def recorded() -> Answered:
    found: Answered = json.loads(ANSWERED.read_text())
    return found


def rendered(services: dict[str, Service], answered: Answered) -> str:
    """The page."""
    lines = [
        "# What the emulator serves",
        "",
        "Written by `python -m emulator.coverage`, from the emulator's code, the official Python SDKs and",
        "the answers that the tests got. Parameters: served, of those that the SDK can send; one that is not",
        "served is refused by name (`UnsupportedParameter.Emulator`), never ignored. Fields: answered, of",
        "those that the SDK can read; no answer has others. Tested by: the clients that called the action in",
        "the tests.",
    ]
    for product in sorted(services):
        service = services[product]
        lines += ["", f"## {product.upper()} {service.version}", ""]
        lines += ["| Action | Parameters | Fields | Tested by |", "| --- | --- | --- | --- |"]
        for name in sorted(service.actions):
            lines.append(_row(service, service.actions[name], answered.get(product, {}).get(name, {})))
        lines += ["", "Parameters that are not served:", ""]
        for name in sorted(service.actions):
            missing = known_parameters(product, name) - set(served_parameters(service.actions[name].model))
            if missing:
                lines.append(f"- {name}: {', '.join(sorted(_outermost(missing)))}")
    return "\n".join(lines) + "\n"


def _row(service: Service, action: Action, seen: dict[str, list[str]]) -> str:
    can_send = known_parameters(service.product, action.name)
    can_read = set(paths(answer_of(service.product, action.name)))
    served = can_send & set(served_parameters(action.model))
    fields = can_read & set(seen.get("fields", ()))
    clients = ", ".join(sorted(seen.get("clients", ()))) or "nobody"
    return (
        f"| {action.name} | {len(served)} of {len(can_send)} | {len(fields)} of {len(can_read)} | {clients} |"
    )


def _outermost(names: set[str]) -> set[str]:
    """Without what lies in another that is named."""
    return {name for name in names if not any(name.startswith(f"{other}.") for other in names)}


def _main() -> int:
    from emulator.server import SERVICES

    text = rendered({service.product: service for service in SERVICES.values()}, recorded())
    if sys.argv[1:] == ["--check"]:
        return 0 if PAGE.read_text() == text else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
