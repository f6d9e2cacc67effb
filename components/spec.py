"""What describes a component: plain, frozen, closed. Free of pulumi: settings load without the SDK."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Frozen values that know all their fields. Components come beside it as objects, secrets as Outputs."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )
