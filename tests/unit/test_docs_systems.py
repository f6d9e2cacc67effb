"""docs/systems.md names code and tests that exist, for every line; what is not held yet is counted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

PROJECT = Path(__file__).parents[2]
SECTIONS = (
    "Rules for all systems",
    "1 `cloud-api`: audio editor on cloud TTS APIs",
    "2 `celery`: taifish",
    "3 `gateway`: douyin-processor on ECS",
    "4 `gpu`: English listening trainer",
)
LEFT = "Not yet"
HEAD = {
    **dict.fromkeys(SECTIONS, ("what must be", "where", "held by")),
    LEFT: ("what must be", "of", "why not"),
}
REFERENCES = re.compile(r"`[^`]+`( `[^`]+`)*")


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    section: str
    cells: tuple[str, ...]

    def references(self, cell: int) -> list[str]:
        """What a cell names."""
        return re.findall(r"`([^`]+)`", self.cells[cell])


def text() -> str:
    return (PROJECT / "docs/systems.md").read_text(encoding="utf-8")


def rows(document: str) -> Iterator[Row]:
    """The lines of all tables, the heads checked and left out."""
    section = ""
    for line in document.splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("|"):
            cells = tuple(cell.strip() for cell in line.strip("|").split(" | "))
            if cells == HEAD[section] or set(line) <= {"|", "-"}:
                continue
            yield Row(section, cells)


ROWS = list(rows(text()))
HELD = [row for row in ROWS if row.section in SECTIONS]


def names(row: Row) -> str:
    return row.cells[0][:60]


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((PROJECT / path).read_text(encoding="utf-8"))


def defined(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """The names that statements bind, each with what is inside of it."""
    found: dict[str, list[ast.stmt]] = {}
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found[statement.name] = statement.body
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = []
            case ast.Assign():
                for target in statement.targets:
                    found |= {node.id: [] for node in ast.walk(target) if isinstance(node, ast.Name)}
    return found


def missing(reference: str) -> str | None:
    """What of `path:symbol` is not there. Of Python a definition is wanted, of other files their text."""
    path, _, symbol = reference.partition(":")
    if not symbol:
        return "a symbol"
    if not (PROJECT / path).is_file():
        return "the file"
    if not path.endswith(".py"):
        return None if symbol in (PROJECT / path).read_text(encoding="utf-8") else "the text"
    inside = tree(path).body
    for part in symbol.split("."):
        if part not in (found := defined(inside)):
            return f"the definition of {part}"
        inside = found[part]
    return None


def missing_test(reference: str) -> str | None:
    """What of `path::test` is not there."""
    path, _, name = reference.partition("::")
    if not re.fullmatch(r"tests/\w+/test_\w+\.py", path) or not (PROJECT / path).is_file():
        return "the file"
    return None if name.startswith("test_") and name in defined(tree(path).body) else "the test"


def test_every_section_has_its_table() -> None:
    assert {row.section for row in HELD} == {*SECTIONS}
    for row in ROWS:
        assert len(row.cells) == 3 and all(row.cells), row


def test_no_line_stands_twice() -> None:
    lines = [(row.section, row.cells[0]) for row in ROWS]
    assert len(lines) == len(set(lines))


def test_the_lines_are_the_reviewed_ones(snapshot: SnapshotAssertion) -> None:
    """None is lost in silence: the list of systems, line by line, and how many tests hold each."""
    assert {(row.section, row.cells[0]): len(row.references(2)) for row in HELD} == snapshot


@pytest.mark.parametrize("row", HELD, ids=names)
def test_a_line_has_code_and_tests(row: Row) -> None:
    for cell in row.cells[1:]:
        assert REFERENCES.fullmatch(cell), f"not only references: {cell}"
    gone = {reference: what for reference in row.references(1) if (what := missing(reference))}
    gone |= {reference: what for reference in row.references(2) if (what := missing_test(reference))}
    assert gone == {}


def test_what_is_not_held_is_counted() -> None:
    left = [row for row in ROWS if row.section == LEFT]
    (told,) = re.findall(r"Not yet held: (\d+) lines?\b", text())
    assert int(told) == len(left)
    assert {row.cells[1] for row in left} <= {"rules", "1", "2", "3", "4"}


@pytest.mark.parametrize(
    ("reference", "what"),
    [
        ("stacks/claims.py:closed_ports", None),
        ("stacks/claims.py:PortClaim.port", None),
        ("stacks/claims.py:PortClaim.gone", "the definition of gone"),
        ("stacks/gone.py:gone", "the file"),
        ("stacks/claims.py", "a symbol"),
        ("workloads/redis/Dockerfile:USER 999:1000", None),
        ("workloads/redis/Dockerfile:USER root", "the text"),
    ],
)
def test_a_reference_is_looked_up(reference: str, what: str | None) -> None:
    assert missing(reference) == what


@pytest.mark.parametrize(
    ("reference", "what"),
    [
        ("tests/unit/test_docs_systems.py::test_a_test_is_looked_up", None),
        ("tests/unit/test_docs_systems.py::test_gone", "the test"),
        ("tests/unit/test_docs_systems.py::missing", "the test"),
        ("tests/unit/test_gone.py::test_gone", "the file"),
        ("tests/unit/test_docs_systems.py", "the test"),
    ],
)
def test_a_test_is_looked_up(reference: str, what: str | None) -> None:
    assert missing_test(reference) == what
