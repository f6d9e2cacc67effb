"""What functions have in common: arguments are checked by a table, and come back beside what was found."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline.alicloud.field import Property, failures, pick
from offline.alicloud.work import Work
from offline.provider.resource import Context, ResourceError

Arguments = dict[str, Any]
Found = tuple[list[str], dict[str, Any]]
"""Ids, and what stands beside them in the answer."""

_SECONDS = 300.0


@dataclass(frozen=True)
class Lookup:
    """A function.

    arguments: what it takes, after the official schema.
    shown: the output that `outputFile` is given.
    """

    token: str
    product: str
    arguments: Mapping[str, Property]
    run: Callable[[Work, Arguments], Found]
    shown: str = ""

    def __call__(self, ctx: Context, given: Arguments) -> dict[str, Any]:
        """The answer. Raises ResourceError for arguments that are wrong or not served."""
        wrong = [
            f"{name}: {one.refused}" for name, one in self.arguments.items() if one.refused and name in given
        ]
        wrong += [f"{one.property}: {one.reason}" for one in failures(self.arguments, given)]
        if wrong:
            raise ResourceError(f"{self.token.split(':')[-1]}: {'; '.join(wrong)}")
        defaults = {n: one.default for n, one in self.arguments.items() if one.default is not None}
        full = {**defaults, **given}
        ids, beside = self.run(Work.of(ctx, self.product, _SECONDS), full)
        answer = {**full, "id": identity(ids), "ids": ids, **beside}
        if file := given.get("outputFile"):
            Path(file).write_text(json.dumps(answer[self.shown], indent="\t", sort_keys=True), "utf-8")
        return answer


def identity(ids: Sequence[str]) -> str:
    """The official provider's id of a list of ids."""
    return str(zlib.crc32("".join(f"{one}-" for one in ids).encode()))


def listed(answer: Any, path: str) -> list[Any]:
    """A list in an answer; none where there is none."""
    found: list[Any] = pick(answer, path) or []
    return found
