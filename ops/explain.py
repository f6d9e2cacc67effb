"""Turns what Pulumi prints when it fails into one cause and one next step."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ops.errors import UserError

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ERROR = re.compile(r"^\s*(?:error|Error):\s*(?P<text>.+)$")
_FIX = re.compile(r"^\s*fix:\s*(?P<text>.+)$")
_VIOLATION = re.compile(r"^(?P<indent>[ ]*)(?:-[ ])?\[mandatory\]\s+(?P<text>.+)$", re.MULTILINE)
_VAGUE = ("update failed", "preview failed", "resource operation failed", "one or more errors occurred")


_NEVER_MADE = re.compile(r"no stack named \S+ found")
# What `pulumi` and berth both call so.
_VERBS = ("up", "preview", "destroy")


class NeverMadeError(UserError):
    """The backend has no such stack yet."""

    def __init__(self, stack: str) -> None:
        super().__init__(
            f"stack {stack} has never been brought up: its backend knows nothing of it",
            fix=f"./berth up -s {stack}",
            code=3,
        )


@dataclass(frozen=True)
class Rule:
    """One known failure: its look, and what to say. The texts may use the pattern's groups and {stack}."""

    sign: re.Pattern[str]
    cause: str
    fix: str


def _rule(sign: str, cause: str, fix: str) -> Rule:
    return Rule(re.compile(sign, re.IGNORECASE), cause, fix)


RULES = (
    _rule(
        r"incorrect passphrase",
        "the passphrase does not fit stack {stack}: its secrets were encrypted with another one",
        "set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to the one it was made with; "
        "nothing was changed",
    ),
    _rule(
        r"cipher: message authentication failed|malformed state value|unknown (?:state|value) version"
        r"|error: [^\n]*\bbad value(?::|$|\n)",
        "a secret of stack {stack} cannot be opened: a `secure:` value or `encryptionsalt` in "
        "Pulumi.{stack}.yaml is not the one that was written",
        "./berth doctor -s {stack} names it; restore it as it was (git, backup)",
    ),
    _rule(
        r"passphrase must be set",
        "stack {stack} needs its passphrase",
        "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
    ),
    _rule(
        r"no space left on device",
        "the disk is full: no space left on device",
        "free some space (`docker system df` shows what Docker uses), then run the same command again; "
        "what was finished is recorded",
    ),
    _rule(
        r"created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<at>\S+)",
        "stack {stack} is locked by another Pulumi run: {user}@{host}, pid {pid}, since {at}",
        "wait until it ends; if that process is certainly dead (`ps -p {pid}` on {host}), run "
        '`pulumi cancel --stack {stack}` after eval "$(./berth env)"',
    ),
    _rule(
        r'resource "(?P<urn>[^"]+)"(?: as part of replacing "[^"]+")?\s+'
        r"(?:cannot be deleted\s+because it is protected|as it is currently marked for protection)",
        "a protected resource would be deleted or replaced: {urn}; nothing of it was changed",
        "undo the setting that makes this necessary; to do without this one (and each other that is named "
        "above) on purpose: eval \"$(./berth env -s {stack})\"; pulumi state unprotect '{urn}' --yes "
        "--stack {stack}; ./berth up -s {stack}. Its volume then stays on the engine with its data, until "
        "`docker volume rm` removes it (`docker volume ls` has its name)",
    ),
    _rule(
        r"unmarshal.{0,40}(deployment|checkpoint)"
        r"|(deployment|checkpoint|snapshot).{0,60}(corrupt|integrity|invalid character)",
        "the recorded state of stack {stack} cannot be read",
        "restore it from a backup: the backend keeps the older ones under .pulumi/backups; do not delete it",
    ),
)


def plain(text: str) -> str:
    """The text without terminal colours."""
    return _COLOUR.sub("", text)


def explain(output: str, *, command: str, stack: str, code: int) -> UserError:
    """The error for a failed `pulumi COMMAND` with this output."""
    text = plain(output)
    if violations := _violations(text):
        reason, advice = violations[0]
        more = f" (and {len(violations) - 1} more, above)" if len(violations) > 1 else ""
        return UserError(f"a policy stopped `{command}`: {reason}{more}", fix=advice)
    if _NEVER_MADE.search(text):
        return NeverMadeError(stack)
    for rule in RULES:
        if match := rule.sign.search(text):
            values = {"stack": stack, **match.groupdict()}
            return UserError(rule.cause.format(**values), fix=rule.fix.format(**values))
    cause, fix = first_error(text)
    again = f"./berth {command} -s {stack}" if command in _VERBS else "the same command"
    return UserError(
        cause or f"`pulumi {command}` failed with exit code {code}",
        fix=fix or f"correct what is named above, then run {again} again; what was finished is recorded",
    )


def _violations(text: str) -> list[tuple[str, str]]:
    """Each violation's reason and fix. Pulumi prints the policy's description and our line below its name."""
    found = []
    for match in _VIOLATION.finditer(text):
        indent = len(match["indent"])
        below: list[str] = []
        for line in text[match.end() :].lstrip("\n").splitlines():
            if not line.strip() or len(line) - len(line.lstrip()) <= indent:
                break
            below.append(line.strip())
        telling = next((line for line in reversed(below) if " Fix: " in line), "")
        reason, _, fix = telling.partition(" Fix: ")
        found.append(
            (
                reason or " ".join([match["text"].strip(), *below]),
                fix or "change the stack as the policy says",
            )
        )
    return found


def first_error(text: str) -> tuple[str | None, str | None]:
    """The first error line that says something, and the `fix:` line that belongs to it."""
    lines = text.splitlines()
    errors = [
        (index, match["text"].strip()) for index, line in enumerate(lines) if (match := _ERROR.match(line))
    ]
    telling: Callable[[str], bool] = lambda words: not any(vague in words for vague in _VAGUE)  # noqa: E731
    for index, words in errors:
        if telling(words):
            following = next(
                (m["text"].strip() for line in lines[index + 1 : index + 12] if (m := _FIX.match(line))), None
            )
            for line in lines[index + 1 :]:
                if not words.endswith(":") or not line.strip():
                    break
                words = f"{words} {line.strip()}"
            return words, following
    return (errors[0][1], None) if errors else (None, None)
