"""No secret where `docker inspect` or `docker history` shows it: variables, commands, labels, build args.

Nor in an uploaded file that the program did not mark: the stack's state would hold it in plain.
"""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Iterator
from typing import Final

from policies.node import Node
from policies.rule import (
    CONTAINER,
    IMAGE,
    NETWORK,
    REMOTE_IMAGE,
    SERVICE,
    VOLUME,
    Finding,
    Pending,
    Rule,
    Violation,
)
from policies.secret_names import (
    names_key,
    names_secret,
    names_secret_address,
    names_secret_file,
    names_secret_place,
)
from policies.secret_settings import settings_in
from policies.substitutions import substituted

_OBVIOUS: Final = frozenset({"", "0", "1", "true", "false", "yes", "no", "on", "off", "none", "null"})
# What `SMTP_AUTH` and its like choose from.
_AUTH: Final = re.compile(r"auth(orization)?([_-]?(mode|type|method|token))?$", re.IGNORECASE)
_AUTH_KINDS: Final = frozenset(
    {
        *(
            "basic",
            "bearer",
            "digest",
            "disabled",
            "enabled",
            "jwt",
            "ldap",
            "login",
            "oauth",
            "oauth2",
            "oidc",
        ),
        *("plain", "rbac", "saml", "scram-sha-256", "simple", "trust"),
    }
)
# Exactly one variable, a mounted secret, a file by its ending, or the command that prints one of them.
_VARIABLE: Final = r"\$(?:[A-Z_][A-Z0-9_]*|\{[A-Z_][A-Z0-9_]*\})"
_MOUNTED: Final = r"(?:/var)?/run/secrets/[\w./-]+"
_STORED: Final = r"(?:/[\w.-]+)+\.(?:cer|crt|jks|json|key|p12|pem|pfx)"
_READ: Final = re.compile(rf"\$\((?:cat\s+|<\s*)(?:{_MOUNTED}|{_STORED}|\"?{_VARIABLE}\"?)\)")
_REFERENCE: Final = re.compile(rf"{_VARIABLE}|@?{_MOUNTED}|{_STORED}|{_READ.pattern}")
# What takes a value when the text is used: `%(token)s`, `{token}`, `$http_token`.
_FILLED_IN: Final = re.compile(r"%?[({][\w.]+\W?.*|%[a-zA-Z]\W*|\$(?:arg|cookie|http|upstream)_\w+|\*+")
_PATH: Final = re.compile(r"(?:/[\w.@+-]+)+/?")

# Bounded where a text may go on for long: whole files are looked through.
_VALUES: Final = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
        ("an Alibaba Cloud access key", r"\bLTAI[0-9A-Za-z]{12,}"),
        ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        ("an API key", r"\b(?:sk|csk|rk|pk_live|sk_live)[-_][A-Za-z0-9_-]{16,}"),
        ("a GitHub token", r"\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})"),
        ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
        ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("a JSON Web Token", r"\beyJ[A-Za-z0-9_-]{8,2048}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
        ("a Slack webhook", r"\bhooks\.slack\.com/services/\w+/\w+/\w{8,}"),
        (
            "an authorization header",
            r"(?i)\bauthorization:\s*(?:(?:basic|bearer|token)\s+|(?!basic|bearer|token))[\w+/=][^\s\"'$]{3,}",
        ),
        ("an authorization header", r"\b(?:Basic|Bearer) (?=\S*\d)[\w+/.~=-]{12,}"),
        # What follows the colon is no port: a password may hold a slash.
        (
            "a password in a URL",
            rf"[A-Za-z0-9]://(?!\[)[^\s:/@]{{0,256}}:(?!{_VARIABLE}@|\d{{1,5}}(?:[/?#,\s]|$))[^\s@]{{1,512}}@",
        ),
        (
            "a password in a data source name",
            rf"[^\s:/@]:(?!{_VARIABLE}@)[^\s@]{{1,512}}@(?:tcp6?|udp6?|unix)\(",
        ),
        ("a password's hash", r"\$\$?(?:apr1|argon2\w*|2[abxy]|5|6|y)\$\$?[\w./$=,+-]{8,}"),
    )
)
# In a file, a header may be an example, and an address may have a place for a password.
_IN_FILES: Final = tuple(
    (what, pattern)
    for what, pattern in _VALUES
    if what not in ("an authorization header", "a password in a data source name")
)
_COMMENT: Final = re.compile(r"^[ \t]*(?:#|;|//).*$", re.MULTILINE)
_PLACE: Final = re.compile(r"://[^\s:/@]*:[$%{<*]")
# `?password=x`, `;Pwd=x`, `host=db password=x`: what connection strings, URLs and options of the JVM hold.
_INSIDE: Final = re.compile(
    r"(?:^|[\s;&?,{(\"'])-{0,2}([\w.-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|(?:account|api|access)[_-]?key))"
    r"\s*=\s*([^\s;&,\"')}]+)",
    re.IGNORECASE,
)
_RANDOM: Final = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=(?:\D*\d){2})[\w+/=-]{20,}|[0-9a-fA-F]{32,}")
_COOKIE_NAME: Final = re.compile(
    r"(?:__(?:Host|Secure)-)?(?:[a-z_-]+\.|[a-z_-]*)(?:sid|session|sess|csrf|xsrf|token|cookie|id)+", re.I
)
_MARKER: Final = re.compile(r"</?\|?\w{1,20}\|?>|\[[A-Z]{2,8}\]")  # of a language model
# `SECRET_ID=prod/db`, `S3_KEY=uploads/a.png`: which one, and words only.
_STORED_BY_PATH: Final = ("secret_id", "s3_key", "file_key", "blob_key", "storage_key")
_WORDS: Final = re.compile(r"[a-z][a-z_-]*\d{0,4}(?:[/.:][a-z_{}-]+\d{0,4})+")
_SHELL_FOLDER: Final = re.compile(r"(?:OLD)?PWD", re.IGNORECASE)
_URL: Final = re.compile(
    r"[A-Za-z][\w+.-]*://\S+|(?:file:)?/\S*|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:/\S*)?|[\w.-]+(?::\d+)(?:/\S*)?"
)
_WORD: Final = r"\"\$\([^)]*\)\"|\"[^\"]*\"|'[^']*'|\$\([^)]*\)|[^\s;&|\"')]+"
_ASSIGNED: Final = re.compile(rf"(?:^|[\s;&|\"'(])(?:--?)?([A-Za-z][\w.-]*)=({_WORD})")
_FLAG: Final = re.compile(rf"(?:^|\s)--?([A-Za-z][\w-]*)\s+(?!-)({_WORD})")
# Programs whose short flag is a password, whatever it is called elsewhere.
_PROGRAM: Final = re.compile(
    r"(?:^|[\s/;&|(\"'])(?:(?:mysql|mariadb)[\w-]*\s(?:[^;&|]*\s)?-p|sshpass\s+-p\s*|redis-cli\s(?:[^;&|]*\s)?-a\s+"
    r"|curl\s(?:[^;&|]*\s)?(?:-u\s*|--user[\s=])[\"']?[^\s:\"']+:"
    r"|(?:docker|podman|helm\sregistry)\s+login\s(?:[^;&|]*\s)?-p\s*"
    r"|(?:mongo|mongosh|mongodump|mongorestore)\s(?:[^;&|]*\s)?-p\s*"
    r"|openssl\s(?:[^;&|]*\s)?-(?:pass|passin|passout)\s+pass:"
    r"|smbclient\s(?:[^;&|]*\s)?(?:-U\s*|--user[\s=])[\"']?[^\s%\"']+%)"
    rf"({_WORD})"
)
# A header of an HTTP client, and the last word of what it says.
_HEADER: Final = re.compile(
    r"(?:^|\s)(?:-H\s*|--header[\s=])[\"']?([A-Za-z][\w-]+):(?:\s*[A-Za-z]+\s(?=\S))?\s*([^\s\"']+)"
)
_MARK: Final = "mark its content as a secret (pulumi.Output.secret, or a value from the stack's secrets)"
_FIX: Final = "store it as a secret and hand it to the container as a file (NAME_FILE=/run/secrets/NAME)"


def secret_in(name: str, value: str) -> str | None:
    """What secret the value is, by its shape or by its name; None for a value that anyone may read.

    A reference is none, whatever the name: `$VARIABLE`, `/run/secrets/NAME`, the absolute path in a `*_FILE`.
    """
    for what, pattern in _VALUES:
        if pattern.search(value):
            return what
    if value.lower() in _OBVIOUS or _REFERENCE.fullmatch(value):
        return None
    for inner, given in _INSIDE.findall(_READ.sub("$READ", value)):
        if inner.lower() == name.lower() or _FILLED_IN.fullmatch(given):
            continue
        if secret_in(inner, given):
            return f"a secret inside, by the name {inner}"
    if "curl" in name.lower() and _by_flag(f"curl {value}", 0):  # `CURL_OPTS`
        return "a password, by its flag"
    if names_secret_place(name):
        return None if _PATH.fullmatch(value) else f"no absolute path, so by the name {name} a secret itself"
    if names_secret_address(name):
        return None if _URL.fullmatch(value) else f"no address, so by the name {name} a secret itself"
    if _harmless_by_value(name, value):
        return None
    if _SHELL_FOLDER.fullmatch(name):
        return f"no path of a folder, so by the name {name} a secret"
    if names_key(name) and _RANDOM.fullmatch(value):
        return f"a random value with the name of a key, {name}"
    return f"a secret, by the name {name}" if names_secret(name) else None


def _harmless_by_value(name: str, value: str) -> bool:
    """Names that a secret and something else may have: the value tells."""
    lower = name.lower()
    return (
        (_AUTH.search(name) is not None and value.lower() in _AUTH_KINDS)
        or (lower.endswith(("cookie", "cookies")) and _COOKIE_NAME.fullmatch(value) is not None)
        or (lower.endswith("token") and _MARKER.fullmatch(value) is not None)
        or (lower.endswith(_STORED_BY_PATH) and _WORDS.fullmatch(value) is not None)
        or (lower.endswith("tokens") and value.isdecimal())  # how many
        or (lower.endswith("pin") and re.fullmatch(r"\d{1,2}", value) is not None)  # of a chip
        or (_SHELL_FOLDER.fullmatch(name) is not None and _PATH.fullmatch(value) is not None)
    )


def secret_in_command(text: str) -> str | None:
    """What secret a command line holds: `--password=x`, `mysql -px`, `TOKEN=x`, or a secret's shape."""
    text, inner = substituted(text)
    for command in inner:
        if what := secret_in_command(command):
            return what
    for name, value in (*_ASSIGNED.findall(text), *_FLAG.findall(text), *_HEADER.findall(text)):
        what = secret_in(name, value.strip("\"'"))
        if what:
            return what
    return _by_flag(text, 0) or secret_in("", text)


def _by_flag(line: str, start: int) -> str | None:
    """What secret a known program is given by a short flag, if it stands at `start` or after."""
    for match in _PROGRAM.finditer(line):
        value = match[1].strip("\"'")
        if match.start(1) >= start and value not in _OBVIOUS and not _REFERENCE.fullmatch(value):
            return "a password, by its flag"
    return None


def _masked(text: str) -> str:
    return f"[{len(text)} characters, hidden]"


def _violation(path: str, value: str, what: str, where: str) -> Violation:
    return Violation(
        path, _masked(value), f"it is {what}, and {where} shows it to everyone who can ask Docker", _FIX
    )


def _variable(node: Node, name: str, value: str, where: str) -> Iterator[Finding]:
    marked = node.secret and not (name.upper().endswith("_FILE") and _PATH.fullmatch(value))
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
        line = ""
        for item, before in zip(known, ["", *(item.text() for item in known)], strict=False):
            text = item.text()
            plain, _ = substituted(text)
            what = "marked as a secret" if item.secret and text else secret_in_command(text)
            if not what and before.startswith("-") and "=" not in before and not text.startswith("-"):
                what = secret_in(before, plain)
                if not what and before in ("-H", "--header"):
                    what = secret_in_command(f"{before} '{plain}'")
            # The program and its flag may be words of their own: `["mysql", "-px"]`.
            line = f"{line} {plain}".lstrip()
            what = what or _by_flag(line, len(line) - len(plain))
            if what:
                yield _violation(item.path, text, what, "the command line")


def _uploads(uploads: Node) -> Iterator[Finding]:
    if uploads.unknown:
        yield Pending(uploads.path)
        return
    for upload in uploads.items():
        file = upload["file"]
        if file.unknown:
            yield Pending(file.path)
            continue
        path = posixpath.normpath(file.text())
        below = re.fullmatch(_MOUNTED, path) is not None
        whole = below or names_secret_file(posixpath.basename(path))
        for content in (upload["content"], upload["contentBase64"]):
            if content.secret or content.value == "":
                continue
            if content.unknown:
                yield Pending(content.path)
            elif content.value is not None and whole:
                why = f"by its path {path} it is a secret, and the stack's state and previews show it"
                yield Violation(content.path, _masked(content.text()), why, _MARK)
            elif content.value is not None:
                yield from _content(content, path)


def _content(content: Node, path: str) -> Iterator[Finding]:
    """What secrets a file holds that is called like any other."""
    text = content.text()
    if content.path.endswith("Base64"):
        try:
            text = base64.b64decode(text).decode()
        except ValueError:
            return  # no text
    found = [(f"line {number}", secret_in(name, value)) for number, name, value in settings_in(path, text)]
    for what, pattern in _IN_FILES:
        in_use = _COMMENT.sub("", text) if "URL" in what else text
        found += [("the text", what) for match in pattern.finditer(in_use) if not _PLACE.search(match[0])][:1]
    for place, secret in found:
        if secret:
            why = f"{place} of {path} holds {secret}, and the stack's state and previews show it"
            yield Violation(content.path, _masked(text), why, _MARK)


def _mounts(mounts: Node) -> Iterator[Finding]:
    for mount in mounts.items():
        options = mount["volumeOptions"]
        yield from _named(options["driverOptions"], "`docker volume inspect`")
        yield from _labels(options["labels"])


def _container(inputs: Node) -> Iterator[Finding]:
    yield from _uploads(inputs["uploads"])
    yield from _envs(inputs["envs"])
    yield from _command(inputs["command"], inputs["entrypoints"], inputs["healthcheck"]["tests"])
    yield from _labels(inputs["labels"])
    yield from _mounts(inputs["mounts"])
    yield from _named(inputs["logOpts"], "`docker inspect`")


def _service(inputs: Node) -> Iterator[Finding]:
    container = inputs["taskSpec"]["containerSpec"]
    yield from _named(container["env"], "the environment")
    yield from _command(container["commands"], container["args"], container["healthcheck"]["tests"])
    yield from _labels(container["labels"])
    yield from _labels(inputs["labels"])
    yield from _mounts(container["mounts"])
    yield from _named(inputs["taskSpec"]["logDriver"]["options"], "`docker service inspect`")


def _image(inputs: Node) -> Iterator[Finding]:
    yield from _named(inputs["build"]["args"], "the image's history")


def _volume(inputs: Node) -> Iterator[Finding]:
    yield from _named(inputs["driverOpts"], "`docker volume inspect`")
    yield from _labels(inputs["labels"])


def _network(inputs: Node) -> Iterator[Finding]:
    yield from _named(inputs["options"], "`docker network inspect`")
    yield from _named(inputs["ipamOptions"], "`docker network inspect`")
    yield from _labels(inputs["labels"])


def _remote_image(inputs: Node) -> Iterator[Finding]:
    yield from _named(inputs["build"]["buildArgs"], "the image's history")


RULES: Final = (
    Rule(
        "no-plain-secrets",
        "No secret is in an environment, command, label, build argument, option or unmarked file.",
        {
            CONTAINER: _container,
            SERVICE: _service,
            IMAGE: _image,
            REMOTE_IMAGE: _remote_image,
            VOLUME: _volume,
            NETWORK: _network,
        },
    ),
)
