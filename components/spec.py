"""What describes a component: plain, frozen, closed. Free of pulumi: settings load without the SDK."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Spec(BaseModel):
    """Frozen values that know all their fields. Components come beside it as objects, secrets as Outputs."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


def default_tag(field: str, tag: str) -> BeforeValidator:
    """Lets a mapping leave out the field that chooses the variant of a union; it then means `tag`."""

    def fill(value: Any) -> Any:
        return {field: tag, **value} if isinstance(value, dict) else value

    return BeforeValidator(fill)
