"""The settings in a file that a program hands over: `NAME=value`, `name: value`, whoever reads it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from policies.secret_names import names_secret

_LINE: Final = re.compile(
    r"""\s*(?:export\s+|-\s+|\{\s*)?["']?([A-Za-z_][\w.-]*)["']?\s*(?:=|:(?=\s)|:(?=["'\d]))\s*(.*)"""
)
# What redis calls its passwords, and writes without a sign between.
_DIRECTIVE: Final = re.compile(r"\s*(requirepass|masterauth)\s+(\S+)\s*")
_QUOTED: Final = re.compile(r"""("|')(.*?)\1\s*[,;}]*\s*(?:[#;].*)?""")
_BARE: Final = re.compile(r"([^\s,;#}]+)[,;]?\s*\}?\s*(?:[#;].*)?")
# A block, a list, or what another program fills in.
_NO_TEXT: Final = re.compile(r"[|>{\[&*!<]|\$[{_(]|%[({]|None$|string$|str$|null$|~$", re.IGNORECASE)
# Program text has names for its variables, and documentation for its examples.
_PROGRAMS: Final = frozenset(
    {
        *(".bash", ".c", ".cjs", ".css", ".go", ".html", ".js", ".jsx", ".lua", ".md", ".mjs", ".php"),
        *(".pl", ".py", ".rb", ".rs", ".rst", ".sh", ".sql", ".ts", ".tsx", ".vue"),
    }
)
# What a file calls many things by, while a variable of the environment is called so for one reason.
_COMMON: Final = frozenset(
    {"auth", "authorization", "cookie", "cookies", "key", "keys", "pin", "signing", "token", "tokens"}
)


def settings_in(path: str, text: str) -> Iterator[tuple[int, str, str]]:
    """Line, name and value of each setting with a secret's name; comments and prose are none."""
    if posixpath.splitext(path)[1].lower() in _PROGRAMS:
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = _DIRECTIVE.fullmatch(line) or _LINE.fullmatch(line)
        if found and found[1].lower() not in _COMMON and names_secret(found[1]):
            value = _QUOTED.fullmatch(found[2]) or _BARE.fullmatch(found[2])
            plain = value[value.re.groups] if value else ""
            if plain and not _NO_TEXT.match(plain) and " " not in plain:
                yield number, found[1], plain
