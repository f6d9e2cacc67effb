"""What the verbs ask of a stack file before anything else starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import settings
from ops.errors import UserError
from ops.project import StackFile


def stack_file(root: Path, text: str) -> StackFile:
    (root / "Pulumi.odd.yaml").write_text(text)
    return StackFile("odd", root)


@pytest.mark.parametrize("config", ["text", "[a]"])
def test_a_config_that_is_no_mapping_is_told(tmp_path: Path, config: str) -> None:
    with pytest.raises(UserError, match="`config` must be a mapping"):
        settings.check(stack_file(tmp_path, f"config: {config}\n"))


def test_a_date_is_a_wrong_value_like_any_other(tmp_path: Path) -> None:
    text = "config:\n  berth:systems: [gateway]\n  berth:gateway: {gateway: {port: 2024-01-01}}\n"
    with pytest.raises(UserError, match=r"berth:gateway.gateway.port"):
        settings.check(stack_file(tmp_path, text))
