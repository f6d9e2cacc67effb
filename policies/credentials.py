"""No secret where `docker inspect` or `docker history` shows it: variables, commands, labels, build args."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policies.node import Node
from policies.rule import CONTAINER, IMAGE, REMOTE_IMAGE, SERVICE, Finding, Pending, Rule, Violation

_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SECRET_WORDS: Final = frozenset(
    {"pass", "pgpass", "pwd", "masterauth", "secrets", "credentials", "key", "jwt"}
)
# Long enough to be meant also where it is glued to another word (`PGPASSWORD`, `accesskey`).
_SECRET_ENDINGS: Final = ("password", "passwd", "passphrase", "secret", "token", "credential", "requirepass")
_SECRET_KEYS: Final = ("apikey", "secretkey", "accesskey", "privatekey")
# The last word is `key` or `token`, and yet nobody has to hide it.
_HARMLESS: Final = re.compile(
    r"(^|_)(public|partition|sort|primary|foreign|routing|cache|hash|index|order|group|map|idempotency|max|min)_(key|token)$"
    r"|^(old)?pwd$"
)
_OBVIOUS: Final = frozenset({"", "true", "false", "yes", "no", "on", "off", "none", "null"})
_REFERENCE: Final = re.compile(
    r"""["']?(\$|@|<|/(app|config|data|etc|home|mnt|opt|root|run|secrets|srv|usr|var)/)"""
)

_VALUES: Final = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
        ("an Alibaba Cloud access key", r"\bLTAI[0-9A-Za-z]{12,}"),
        ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        ("an API key", r"\b(?:sk|csk|rk|pk_live|sk_live)[-_][A-Za-z0-9_-]{16,}"),
        ("a GitHub token", r"\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})"),
        ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
        ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("a JSON Web Token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
        ("a password in a URL", r"\b[a-z][a-z0-9+.-]*://[^\s:/@]*:(?![${<])[^\s/@]+@"),
    )
)
_ASSIGNED: Final = re.compile(
    r"(?:^|[\s;&|\"'(])(?:--?)?([A-Za-z][\w.-]*)=(\"[^\"]*\"|'[^']*'|[^\s;&|\"')]+)"
)
_FLAG: Final = re.compile(r"(?:^|\s)--?([A-Za-z][\w-]*)\s+(?!-)(\"[^\"]*\"|'[^']*'|[^\s;&|\"')]+)")
_FIX: Final = "store it as a secret and hand it to the container as a file (NAME_FILE=/run/secrets/NAME)"


def names_secret(name: str) -> bool:
    """Whether a variable, flag or label holds a secret: the last word of its name says so (`DB_PASSWORD`)."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or _HARMLESS.search("_".join(words)):
        return False
    last = words[-1]
    return (
        last in _SECRET_WORDS
        or last.endswith(_SECRET_ENDINGS + _SECRET_KEYS)
        or words[-2:] == ["key", "base"]  # SECRET_KEY_BASE
    )


def secret_in(name: str, value: str) -> str | None:
    """What secret the value is, by its shape or by its name; None for a value that anyone may read.

    A `*_FILE` variable, a path, `$VARIABLE` and a plain yes or no are not secrets, whatever the name.
    """
    for what, pattern in _VALUES:
        if pattern.search(value):
            return what
    if names_secret(name) and value.lower() not in _OBVIOUS and not _REFERENCE.match(value):
        return f"a secret, by the name {name}"
    return None


def secret_in_command(text: str) -> str | None:
    """What secret a command line holds: `--password=x`, `--requirepass x`, `TOKEN=x`, or a secret's shape."""
    for name, value in (*_ASSIGNED.findall(text), *_FLAG.findall(text)):
        what = secret_in(name, value.strip("\"'"))
        if what:
            return what
    return secret_in("", text)


def _masked(text: str) -> str:
    return f"[{len(text)} characters, hidden]"


def _violation(path: str, value: str, what: str, where: str) -> Violation:
    return Violation(
        path, _masked(value), f"it is {what}, and {where} shows it to everyone who can ask Docker", _FIX
    )


def _variable(node: Node, name: str, value: str, where: str) -> Iterator[Finding]:
    marked = node.secret and not name.upper().endswith("_FILE")
    what = "marked as a secret" if marked and value else secret_in(name, value)
    if what:
        yield _violation(f"{node.path} ({name})" if name else node.path, value, what, where)


def _envs(envs: Node) -> Iterator[Finding]:
    for item in envs.items():
        if item.unknown:
            yield Pending(item.path)
        else:
            name, _, value = item.text().partition("=")
            yield from _variable(item, name, value, "the environment")


def _named(members: Node, where: str) -> Iterator[Finding]:
    if members.unknown:
        yield Pending(members.path)
    for name, node in members.members():
        if node.unknown:
            yield Pending(node.path)
        else:
            yield from _variable(node, name, node.text(), where)


def _labels(labels: Node) -> Iterator[Finding]:
    for label in labels.items():
        value = label["value"]
        if value.unknown or label["label"].unknown:
            yield Pending(value.path)
        else:
            yield from _variable(value, label["label"].text(), value.text(), "a label")


def _command(*words: Node) -> Iterator[Finding]:
    for list_ in words:
        items = list(list_.items())
        yield from (Pending(item.path) for item in items if item.unknown)
        known = [item for item in items if not item.unknown]
        for item, before in zip(known, ["", *(item.text() for item in known)], strict=False):
            text = item.text()
            what = "marked as a secret" if item.secret and text else secret_in_command(text)
            if not what and before.startswith("-") and "=" not in before and not text.startswith("-"):
                what = secret_in(before, text)
            if what:
                yield _violation(item.path, text, what, "the command line")


def _container(inputs: Node) -> Iterator[Finding]:
    yield from _envs(inputs["envs"])
    yield from _command(inputs["command"], inputs["entrypoints"], inputs["healthcheck"]["tests"])
    yield from _labels(inputs["labels"])


def _service(inputs: Node) -> Iterator[Finding]:
    container = inputs["taskSpec"]["containerSpec"]
    yield from _named(container["env"], "the environment")
    yield from _command(container["commands"], container["args"], container["healthcheck"]["tests"])
    yield from _labels(container["labels"])
    yield from _labels(inputs["labels"])


def _image(inputs: Node) -> Iterator[Finding]:
    yield from _named(inputs["build"]["args"], "the image's history")


def _remote_image(inputs: Node) -> Iterator[Finding]:
    yield from _named(inputs["build"]["buildArgs"], "the image's history")


RULES: Final = (
    Rule(
        "no-plain-secrets",
        "No secret is in a container's environment, command or labels, nor in an image's build arguments.",
        {CONTAINER: _container, SERVICE: _service, IMAGE: _image, REMOTE_IMAGE: _remote_image},
    ),
)
