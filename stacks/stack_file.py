"""What only the text of a stack file tells: beside a sealed secret, the engine calls all of them secret."""

from __future__ import annotations

from pathlib import Path

from stacks.secrets import plain_names


def plain_secrets(path: Path) -> list[str]:
    """The names below `berth:secrets` that the file has as plain text; none where it has no such file."""
    import yaml

    try:
        content = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except FileNotFoundError:  # `pulumi --config-file` names another one
        return []
    config = content.get("config") if isinstance(content, dict) else None
    return plain_names(config.get("berth:secrets")) if isinstance(config, dict) else []
