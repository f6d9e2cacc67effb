"""What describes a component: plain, frozen, closed. Free of pulumi: settings load without the SDK."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Spec(BaseModel):
    """Frozen values that know all their fields. Components come beside it as objects, secrets as Outputs."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
        # A run uses some of the models, and would pay for building all of them.
        defer_build=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """With the text under each field as its description.

        Pydantic's `use_attribute_docstrings` does the same, but reads every source file in every run.
        """
        made = handler(schema)
        properties = handler.resolve_ref_schema(made).get("properties", {})
        for base in reversed(cls.__mro__):
            if base is not Spec and issubclass(base, Spec):
                for name, text in _docstrings(base).items():
                    if cls.model_fields[name].description is None:
                        properties[name]["description"] = text
        return made


def _docstrings(model: type) -> Mapping[str, str]:
    """Field to the text that stands under it in the class."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def default_tag(field: str, tag: str) -> BeforeValidator:
    """Lets a mapping leave out the field that chooses the variant of a union; it then means `tag`."""

    def fill(value: Any) -> Any:
        return {field: tag, **value} if isinstance(value, dict) else value

    return BeforeValidator(fill)
