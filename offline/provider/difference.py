"""The generic comparison: a recorded state with wanted inputs, by a resource's table of fields.

It follows the official provider: a property that the program leaves out is no difference when the engine
computes it, when it has its default, or when it is empty on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from offline.provider.resource import UNKNOWN, Difference, Field
from offline.provider.values import has_unknown, join

Kind = Literal["ADD", "DELETE", "UPDATE"]
_PLAIN = Field()


@dataclass(frozen=True)
class Change:
    """One difference: its path (`ports[0].external`), what happens there, whether it needs a new object."""

    path: str
    kind: Kind
    replace: bool


def compare(fields: Mapping[str, Field], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Every difference between a state and inputs."""
    return list(_objects(fields, old, new, "", False))


def changes(difference: Difference, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """The same for a difference that a resource worked out itself."""
    return [
        Change(path, _kind(_at(old, path), _at(new, path)), replace)
        for paths, replace in ((difference.update, False), (difference.replace, True))
        for path in paths
    ]


def ignored(path: str, patterns: Sequence[str]) -> bool:
    """Whether `ignoreChanges` covers the path; `*` stands for any key or index."""
    steps = _steps(path)
    return any(
        len(pattern) <= len(steps) and all(p in ("*", s) for p, s in zip(pattern, steps, strict=False))
        for pattern in map(_steps, patterns)
    )


def top(path: str) -> str:
    """The property that a path starts with."""
    return _steps(path)[0]


def _objects(
    fields: Mapping[str, Field], old: Mapping[str, Any], new: Mapping[str, Any], path: str, replace: bool
) -> Iterator[Change]:
    for name, field in fields.items():
        if field.refused is None:
            yield from _property(field, old.get(name), new.get(name), join(path, name), replace)


def _property(field: Field, old: Any, new: Any, path: str, replace: bool) -> Iterator[Change]:
    replace = replace or field.replace
    if new is None and field.default is not None:
        new = field.default
    if old is None and field.default is not None:
        old = field.default  # a state made by an import or an older schema leaves it out
    if field.computed and (new is None or new in ("", [], {})):
        return
    if _empty(old) and _empty(new):
        return
    if field.same is not None and not has_unknown(new) and field.same(old, new):
        return
    if new is UNKNOWN or _empty(old) != _empty(new):
        if not _same_scalar(old, new):
            yield Change(path, _kind(old, new), replace or _replaces(field))
    elif isinstance(new, list) and isinstance(old, list):
        yield from (_sets if field.unordered else _lists)(field, old, new, path, replace)
    elif isinstance(new, Mapping) and isinstance(old, Mapping):
        if field.nested is not None:
            yield from _objects(field.nested, old, new, path, replace)
        else:
            yield from _maps(old, new, path, replace)
    elif not _same_scalar(old, new):
        yield Change(path, "UPDATE", replace)


def _lists(
    field: Field, old: Sequence[Any], new: Sequence[Any], path: str, replace: bool
) -> Iterator[Change]:
    for i in range(max(len(old), len(new))):
        here = f"{path}[{i}]"
        if i >= len(old):
            yield Change(here, "ADD", replace or _replaces(field))
        elif i >= len(new):
            yield Change(here, "DELETE", replace or _replaces(field))
        else:
            yield from _element(field, old[i], new[i], here, replace)


def _sets(field: Field, old: Sequence[Any], new: Sequence[Any], path: str, replace: bool) -> Iterator[Change]:
    left = dict(enumerate(old))
    added: list[int] = []
    for i, item in enumerate(new):
        twin = next(
            (j for j, other in left.items() if not any(_element(field, other, item, "", False))), None
        )
        if twin is None:
            added.append(i)
        else:
            del left[twin]
    for i in sorted({*added, *left}):
        kind: Kind = "UPDATE" if i in added and i in left else "ADD" if i in added else "DELETE"
        yield Change(f"{path}[{i}]", kind, replace or _replaces(field))


def _element(field: Field, old: Any, new: Any, path: str, replace: bool) -> Iterator[Change]:
    if field.nested is not None and isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _objects(field.nested, old, new, path, replace)
    else:
        yield from _property(_PLAIN, old, new, path, replace)


def _maps(old: Mapping[str, Any], new: Mapping[str, Any], path: str, replace: bool) -> Iterator[Change]:
    for key in sorted({*old, *new}):
        here = join(path, key)
        if key not in old or key not in new:
            yield Change(here, "DELETE" if key in old else "ADD", replace)
        elif not _same_scalar(old[key], new[key]):
            yield Change(here, "UPDATE", replace)


def _replaces(field: Field) -> bool:
    """A whole block that comes or goes takes its nested fields along."""
    return field.replace or any(_replaces(inner) for inner in (field.nested or {}).values())


def _empty(value: Any) -> bool:
    return value is None or (value is not UNKNOWN and value in ("", False, 0, [], {}))


def _same_scalar(old: Any, new: Any) -> bool:
    return (type(old) is type(new) and old == new) or _text(old) == _text(new) is not None


def _text(value: Any) -> str | None:
    """`5` and `"5"`, `true` and `"true"` are one value: programs and older states write either."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | str) else None


def _kind(old: Any, new: Any) -> Kind:
    return "ADD" if old is None else "DELETE" if new is None else "UPDATE"


def _steps(path: str) -> list[str]:
    flat = path.replace('["', "\0").replace('"]', "").replace("[", "\0").replace("]", "")
    head, *quoted = flat.split("\0") if "\0" in flat else [flat]
    steps = [step for step in head.split(".") if step]
    for part in quoted:
        # what follows an index may go on with plain names; a quoted key may hold dots itself
        index, dot, rest = part.partition(".") if part[:1].isdigit() or part[:1] == "*" else (part, "", "")
        steps += [index, *(rest.split(".") if dot else [])]
    return steps


def _at(value: Any, path: str) -> Any:
    for step in _steps(path):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
