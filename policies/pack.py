"""The rules of the pack, as a stack's configuration makes them."""

from __future__ import annotations

from collections.abc import Mapping

from policies import borrowed_mounts, credentials, exposure, firewall, isolation, upkeep
from policies.rule import Rule


def rules(config: Mapping[str, str]) -> tuple[Rule, ...]:
    """config: of the stack, by full key. All that is read of it: who the operators are."""
    return (
        *exposure.rules(exposure.operators(config)),
        *firewall.RULES,
        *isolation.RULES,
        *borrowed_mounts.RULES,
        *upkeep.RULES,
        *credentials.RULES,
    )
