"""A page of docs/ as its reader follows it: the commands and files that stand in its code blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w./-]+\.\w+)`")


@dataclass(frozen=True)
class Block:
    """What stands between fences. file: the last one that the text above it names, in the same section."""

    language: str
    text: str
    file: str


def blocks(page: str) -> list[Block]:
    """All of them, in their order. Indented ones are examples of what is seen, and are not among them."""
    found, end = [], 0
    for match in _FENCED.finditer(page):
        named = _FILE.findall(page[end : match.start()])
        found.append(Block(match[1], match[2], named[-1] if named else ""))
        end = match.end()
    return found


def write(block: Block, folder: Path) -> None:
    """Puts it into its file. A single line goes into the table that the file has, after its last one."""
    file = folder / block.file
    file.parent.mkdir(parents=True, exist_ok=True)
    if block.text.startswith("    "):
        before, brace, after = file.read_text().rpartition("\n}\n")
        file.write_text(f"{before}\n{block.text.rstrip()}{brace}{after}")
    else:
        file.write_text(block.text)
