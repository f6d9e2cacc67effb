"""XML, as much of it as OSS speaks: elements and text, no attributes, no entities of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from emulator.services.oss import errors


@dataclass
class Node:
    """An element: its name and either elements or text."""

    name: str
    text: str = ""
    below: list[Node] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """The text of the first element below with that name."""
        found = self.find(name)
        return default if found is None else found.text

    def find(self, name: str) -> Node | None:
        return next((one for one in self.below if one.name == name), None)

    def all(self, name: str) -> list[Node]:
        return [one for one in self.below if one.name == name]


_STAND_IN: Final = 0xE000
_CONTROL: Final = re.compile(rb"&#(0*(?:[1-8]|1[1249]|1[5-8]|2\d|3[01]));")
"""References to characters that XML does not have. The SDKs write keys so, and OSS reads them."""


def _stood_in(reference: re.Match[bytes]) -> bytes:
    """Another character meanwhile, of those that stand for nothing."""
    return chr(_STAND_IN + int(reference[1])).encode()


def parse(body: bytes) -> Node:
    """The root element. Raises OssError for what is no XML, and for one with a document type."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = Node("")
    open_: list[Node] = [top]

    def start(name: str, attributes: dict[str, str]) -> None:  # noqa: ARG001 - namespaces
        node = Node(name.rpartition(":")[2])
        open_[-1].below.append(node)
        open_.append(node)
        if len(open_) > 20:
            raise errors.malformed_xml("It is too deep.")

    def end(name: str) -> None:  # noqa: ARG001
        node = open_.pop()
        if node.below:
            node.text = ""

    def text(data: str) -> None:
        open_[-1].text += "".join(chr(ord(c) - _STAND_IN) if "\ue000" <= c < "\ue020" else c for c in data)

    def doctype(*given: Any) -> None:  # noqa: ARG001
        raise errors.malformed_xml("It has a document type.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(_CONTROL.sub(_stood_in, body), True)
    except expat.ExpatError as failure:
        raise errors.malformed_xml(str(failure)) from None
    return top.below[0]


def written(node: Node) -> str:
    if node.below:
        return f"<{node.name}>{''.join(map(written, node.below))}</{node.name}>"
    return f"<{node.name}>{clean(node.text)}</{node.name}>" if node.text else f"<{node.name}/>"


def document(root: str, content: dict[str, Any] | str) -> bytes:
    """An answer, of text or of elements: text, numbers, truth, elements, lists of them. None is left out."""
    inner = clean(content) if isinstance(content, str) else "".join(_parts(content))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inner}</{root}>'.encode()


def _parts(content: dict[str, Any]) -> Iterable[str]:
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            if one is None:
                continue
            if isinstance(one, dict):
                inner = "".join(_parts(one))
            elif isinstance(one, bool):
                inner = "true" if one else "false"
            else:
                inner = clean(str(one))
            yield f"<{name}>{inner}</{name}>"


def clean(text: str) -> str:
    """Escaped; characters that XML has no way to write become U+FFFD (clients ask for encoding-type=url)."""
    return escape("".join(c if c >= " " or c in "\t\n\r" else "\ufffd" for c in text)).replace("\r", "&#13;")
