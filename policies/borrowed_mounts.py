"""A container takes over the mounts of another only if that one was judged as well: one of its own stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policies.node import Node
from policies.rule import CONTAINER, Finding, Pending, Rule, Violation, shown

# What a provider adds to a resource's name. The engine asks about a container before it knows that it
# replaces it, and so with the old name: the new one differs in these digits, and is not asked about again.
_DRAWN: Final = re.compile(r"-[0-9a-f]{7}$")


class Lenders:
    """The containers of this run; the engine asks about one before those that use its computed name."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._drawn: set[str] = set()

    def check(self, inputs: Node) -> Iterator[Finding]:
        """Judge whom a container borrows of, and remember it as one to borrow of."""
        for volume in inputs["volumes"].items():
            lender = volume["fromContainer"]
            if lender.unknown:
                yield Pending(lender.path)
            elif lender.value and not self._knows(lender.text().partition(":")[0]):
                why = "it takes over what that container has mounted, and no rule has seen that one"
                fix = "use the output `name` of a container of this program, or a mount of its own"
                yield Violation(lender.path, shown(lender), why, fix)
        name = inputs["name"]
        if name.text():
            self._names.add(name.text())
            if _DRAWN.search(name.text()):
                self._drawn.add(_DRAWN.sub("", name.text()))

    def _knows(self, name: str) -> bool:
        drawn = _DRAWN.search(name) is not None and _DRAWN.sub("", name) in self._drawn
        return name in self._names or drawn


RULES: Final = (
    Rule(
        "no-borrowed-mounts",
        "No container takes over the mounts of a container outside its stack.",
        {CONTAINER: Lenders().check},
    ),
)
