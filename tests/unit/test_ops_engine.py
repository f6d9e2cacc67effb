"""An engine that cannot be reached: one wording from every verb."""

from pathlib import Path

import pytest

from ops.engine import Engine, reachable
from ops.errors import UserError
from ops.project import WantedHost


def test_a_missing_socket_is_named_alike_by_all_that_ask(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/nothing.sock"
    with pytest.raises(UserError) as asked:
        Engine(host=address, origin="the stack's `berth:host`").client()
    with pytest.raises(UserError) as looked:
        reachable(WantedHost(address=address))
    assert asked.value.cause == looked.value.cause
    assert looked.value.cause.endswith(": its socket does not exist")
    assert "Errno" not in str(asked.value)
