"""A stack that is settled before a run."""

from __future__ import annotations

from typing import Any

import pytest

from ops.errors import UserError
from ops.stack import Stack


def test_lost_data_is_looked_for_before_healing_forgets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Healing reads the real state, in which a volume that is gone is not there any more."""
    before: dict[str, Any] = {"pending": True}
    asked: list[Any] = []

    def repairs(_stack: Stack, exported: Any, *, accepted: Any = ()) -> None:
        asked.append(exported)
        if exported is before and not accepted:
            raise UserError("data is lost", fix="restore it")

    stack = object.__new__(Stack)
    monkeypatch.setattr(Stack, "state", lambda _stack: before)
    monkeypatch.setattr(Stack, "repairs", repairs)
    monkeypatch.setattr(Stack, "heal", lambda _stack, _exported=None: asked.append("healed") or {})
    with pytest.raises(UserError, match="data is lost"):
        stack.settle()
    assert asked == [before], "nothing was healed"
    assert stack.settle(accepted=["data"]) == ({}, None)
    assert asked[1:] == [before, "healed", {}]
