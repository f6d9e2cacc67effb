"""XML documents of OSS, written and read by the same tables that properties are declared in.

The path of a property in the document is its `create`, in steps divided by slashes; `.` stands for the
element that the property itself is in. Lists are elements that are repeated, free maps are pairs of Key and
Value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

from offline.alicloud.field import Property
from offline.provider.resource import Field, ResourceError
from offline.provider.schema import Shape

Fields = Mapping[str, Field]


@dataclass(frozen=True, kw_only=True)
class Spelled(Property):
    """A text that the document spells otherwise than the schema does."""

    spell: Callable[[Any], str]
    unspell: Callable[[str], Any]


def document(root: str, fields: Fields, values: Mapping[str, Any]) -> bytes:
    """The document that says what the values are. None is left out, emptiness is not."""
    top = Element(root)
    _write(top, fields, values)
    whole: bytes = tostring(top, "UTF-8")
    return whole


def _write(place: Element, fields: Fields, values: Mapping[str, Any]) -> None:
    for name, field in fields.items():
        value = values.get(name)
        if value is None or not isinstance(field, Property) or not field.create:
            continue
        if field.create == ".":
            _write(place, field.nested or {}, value)
            continue
        *steps, last = field.create.split("/")
        parent = place
        for step in steps:
            found = parent.find(step)
            parent = SubElement(parent, step) if found is None else found
        if isinstance(value, Mapping) and field.nested is None:
            value = [{"Key": key, "Value": one} for key, one in sorted(value.items())]
        for one in value if isinstance(value, list) else [value]:
            _one(SubElement(parent, last), field, one)


def _one(element: Element, field: Property, value: Any) -> None:
    if field.nested is not None:
        _write(element, field.nested, value)
    elif isinstance(value, Mapping):
        for name, text in value.items():
            SubElement(element, name).text = text
    elif isinstance(field, Spelled):
        element.text = field.spell(value)
    else:
        element.text = ("true" if value else "false") if isinstance(value, bool) else str(value)


def told(fields: Fields, shapes: Mapping[str, Shape], place: Element) -> dict[str, Any]:
    """What a document says of the properties; those that it does not mention are left out."""
    found = {
        name: _read(field, shapes[name], place)
        for name, field in fields.items()
        if isinstance(field, Property) and field.create
    }
    return {name: value for name, value in found.items() if value is not None}


def _read(field: Property, shape: Shape, place: Element) -> Any:
    if field.create == ".":
        return told(field.nested or {}, shape["properties"], place) or None
    found = place.findall(field.create)
    if not found:
        return None
    if shape["type"] == "array":
        return [_told(field, shape["items"], one) for one in found]
    if "additionalProperties" in shape:
        return {one.findtext("Key") or "": one.findtext("Value") or "" for one in found}
    return _told(field, shape, found[0])


def _told(field: Property, shape: Shape, element: Element) -> Any:
    if field.nested is not None:
        return told(field.nested, shape["properties"], element)
    text = element.text or ""
    if isinstance(field, Spelled):
        return field.unspell(text)
    if shape["type"] == "boolean":
        return text == "true"
    if shape["type"] == "integer":
        return int(text) if text else None
    return text or None


def parsed(body: bytes) -> Element:
    """An answer's document. Raises ResourceError for what is none."""
    try:
        return fromstring(body)  # noqa: S314 - of the service that the credentials are trusted to
    except ParseError as error:
        raise ResourceError(
            f"OSS answered what is no XML: {error}", fix="check alicloud:endpoints: is something else there?"
        ) from None
