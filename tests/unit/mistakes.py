"""A right stack file with mistakes put into it, and the report that they make."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stacks.problems import SettingsError
from stacks.settings import load

Stack = dict[str, Any]
Mistake = Callable[[Stack], None]


def wrong(*place: str | int, value: Any) -> Mistake:
    """Sets the value at a place, which is made where it is missing."""

    def change(stack: Stack) -> None:
        inner: Any = stack
        for key in place[:-1]:
            inner = inner.setdefault(key, {}) if isinstance(inner, dict) else inner[key]
        inner[place[-1]] = value

    return change


def report(stack: Stack) -> set[str]:
    """The problems of a stack file."""
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in stack.items()}
    try:
        load(config, ["berth:secrets"], stack="dev")
    except SettingsError as error:
        return set(map(str, error.problems))
    return set()


@dataclass(frozen=True)
class Mistakes:
    """A right stack file and single mistakes, by name."""

    right: Stack
    single: Mapping[str, Mistake]

    def changed(self, names: Collection[str]) -> Stack:
        """The right stack file with these mistakes."""
        stack = deepcopy(self.right)
        for name in names:
            self.single[name](stack)
        return stack

    @cached_property
    def alone(self) -> dict[str, set[str]]:
        """What each mistake alone reports."""
        return {name: report(self.changed([name])) for name in self.single}

    def union(self, names: Collection[str]) -> set[str]:
        """What these report, each told alone."""
        return set().union(*(self.alone[name] for name in names))
