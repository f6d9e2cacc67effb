"""The refusal to make what exists already: whose it is, and how to go on."""

from __future__ import annotations

from collections.abc import Mapping

from offline.provider.resource import Context, ResourceError


def taken(ctx: Context, type: str, name: str, *, id: str, labels: Mapping[str, str] | None) -> ResourceError:
    """The error for a network or volume of that name; `id` and `labels` are those of the one that exists.

    Whoever imports what another stack owns removes it with their own stack: that is never offered.
    """
    kind = type.rpartition(":")[2].lower()
    stack, resource = ctx.urn.split("::")[0].rpartition(":")[2], ctx.urn.rpartition("::")[2]
    labels = labels or {}
    owner = labels.get("berth.stack")
    if owner and owner != stack:
        setting = f": berth:{labels.get('berth.system', 'SYSTEM')}.network.name" if kind == "network" else ""
        return ResourceError(
            f"a {kind} '{name}' exists already and belongs to stack {owner} of berth",
            fix=f"give stack {stack} its own name{setting}",
        )
    command = f"pulumi import {type} {resource} {id} --stack {stack}"
    if "$" in ctx.urn.split("::")[2]:
        # The plugin is not told who its resource's parent and provider are.
        command += " --parent NAME=URN --provider NAME=URN (see `pulumi stack --show-urns`)"
    return ResourceError(
        f"a {kind} '{name}' exists already",
        fix=f"choose another name, remove it (docker {kind} rm {name}), or take it over: {command}",
    )
