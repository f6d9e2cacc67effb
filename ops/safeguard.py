"""The backup before a deployment: of every database, and of every system with snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ops import backup, snapshots
from ops.course import interrupts
from ops.errors import UserError

if TYPE_CHECKING:
    from ops.stack import Stack


def take(stack: Stack, exported: Mapping[str, Any]) -> tuple[str, ...]:
    """What `./berth backup` does; what it made. Raises UserError where one fails."""
    try:
        outputs = stack.outputs(exported)
        made = [str(path) for path in backup.backup(stack, (), None)] if backup.stores_of(outputs) else []
        for keeper in snapshots.keepers(outputs):
            made.append(f"{keeper.system}: {snapshots.take(stack, keeper, full=False, accept_empty=False)}")
    except UserError as error:
        if interrupts(error):
            raise
        raise UserError(
            f"the backup before the deployment failed: {error.cause}; nothing was changed",
            fix=f"deploy without one: --no-backup; or {error.fix}",
        ) from None
    return tuple(made)
