"""What a shell puts in while a command runs: to whoever reads the command line, a reference and no value."""

from __future__ import annotations

import re
from typing import Final

_SUBSTITUTION: Final = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
# These give out what stands in the command line itself.
_WRITES_OUT: Final = re.compile(r"\b(?:echo|printf)\b|<<")
_ARGUMENT: Final = re.compile(r"\$[0-9@*#?]|\$\{[0-9]\}")
_SET: Final = re.compile(
    r"(?:^|[\s;&|(])([a-z_]\w*)=|\bread\s+(?:-\w+\s+)*([a-z_]\w*)|\bfor\s+([a-z_]\w*)\s+in\b"
)
_REFERENCE: Final = "$SUBSTITUTED"


def substituted(text: str) -> tuple[str, list[str]]:
    """The command line with each substitution as `$SUBSTITUTED`, and the commands that stood in them."""
    inner: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        command = match[1] if match[1] is not None else match[2]
        if _WRITES_OUT.search(command):
            return match[0]
        inner.append(command)
        return _REFERENCE

    while (after := _SUBSTITUTION.sub(replaced, text)) != text:
        text = after
    # Lower case is a reference only where the script itself gives it a value: `$ecret` may be a password.
    for names in _SET.findall(text):
        name = "".join(names)
        text = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", lambda _: _REFERENCE, text)
    return _ARGUMENT.sub(lambda _: _REFERENCE, text), inner
