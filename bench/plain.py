"""The same Docker resources without berth: a plan of the engine, written as a program as a hand would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_PROVIDER: Final = "pulumi:providers:docker"
_HIDDEN: Final = "[secret]"
_FILE: Final = [{"content": "bench-only-key", "file": "/run/secrets/key", "permissions": "0400"}]
"""Stands for the files that a plan hides, which are the only secrets of a container."""
_OPTIONS: Final = {"protect": "protect", "retainOnDelete": "retain_on_delete"}
_READ: Final = ("name", "imageName")
"""What resources read of each other."""


def plan(output: str) -> list[dict[str, Any]]:
    """The docker resources in what `preview --json` printed, their provider first."""
    steps = [step["newState"] for step in json.loads(output)["steps"] if "newState" in step]
    return [state for state in steps if state["type"] == _PROVIDER or state["type"].startswith("docker:")]


def program(plan: Sequence[Mapping[str, Any]]) -> str:
    """A program that registers the resources of `plan` without components; raises RuntimeError for others."""
    names = {state["urn"]: f"r{index}" for index, state in enumerate(plan)}
    outputs = {state["urn"]: _readable(state, names[state["urn"]]) for state in plan}
    return "".join(
        [
            "import pulumi\nimport pulumi_docker as docker\n\n",
            *(_call(state, names, outputs) for state in plan),
        ]
    )


def registered(plan: Sequence[Mapping[str, Any]]) -> list[str]:
    """What two programs that make the same resources have in common: names apart that the engine draws."""
    drawn = {
        state["inputs"]["name"]: _name(state)
        for state in plan
        if "name" in state["inputs"].get("__defaults", ())
    }
    texts = sorted(
        json.dumps(
            [state["type"], _name(state), state["inputs"], *(state.get(option) for option in _OPTIONS)],
            sort_keys=True,
        )
        for state in plan
    )
    for suffixed, plain in drawn.items():
        texts = [text.replace(suffixed, plain) for text in texts]
    return sorted(texts)


def _call(
    state: Mapping[str, Any], names: Mapping[str, str], outputs: Mapping[str, Mapping[str, str]]
) -> str:
    own = names[state["urn"]]
    if state["type"] == _PROVIDER:
        return f"{own} = docker.Provider({_name(state)!r})\n"
    by_input: Mapping[str, Sequence[str]] = state.get("propertyDependencies", {})
    words = [repr(_name(state))]
    for key, value in _given(state["inputs"]):
        read = {text: code for urn in by_input.get(key, ()) for text, code in outputs[urn].items()}
        words.append(f"{_snake(key)}={_secret(key) if value == _HIDDEN else _literal(value, read)}")
    options = [f"provider={names[state['provider'].rpartition('::')[0]]}"]
    options += [f"{word}={state[option]}" for option, word in _OPTIONS.items() if option in state]
    waited_for = set(state.get("dependencies", ())).difference(*by_input.values())
    if waited_for:
        options.append(f"depends_on=[{', '.join(sorted(names[urn] for urn in waited_for))}]")
    words.append(f"opts=pulumi.ResourceOptions({', '.join(options)})")
    return f"{own} = docker.{state['type'].rpartition(':')[2]}({', '.join(words)})\n"


def _readable(state: Mapping[str, Any], variable: str) -> dict[str, str]:
    return {state["inputs"][key]: f"{variable}.{_snake(key)}" for key in _READ if key in state["inputs"]}


def _given(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the program gave: the provider tells which defaults it added, and adds the digest of a build."""
    added = {"__defaults", "contextDigest", *inputs.get("__defaults", ())}
    yield from ((key, value) for key, value in inputs.items() if key not in added)


def _literal(value: Any, read: Mapping[str, str]) -> str:
    """Code for `value`, in which the texts of `read` are read from the resources that have them."""
    if isinstance(value, dict):
        items = (f"{_snake(key)!r}: {_literal(item, read)}" for key, item in _given(value))
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(item, read) for item in value)}]"
    for text, code in read.items():
        if isinstance(value, str) and text in value:
            before, _, after = value.partition(text)
            return code if value == text else f"pulumi.Output.concat({before!r}, {code}, {after!r})"
    return repr(value)


def _secret(key: str) -> str:
    if key != "uploads":
        raise RuntimeError(f"a secret {key}: the program without berth knows secret files only")
    return f"pulumi.Output.secret({_FILE!r})"


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda upper: f"_{upper[0].lower()}", key)


def _name(state: Mapping[str, Any]) -> str:
    return str(state["urn"].rpartition("::")[2])
