"""Names of files at the file system service. Pure; the guard against requests to anywhere else."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes, urlsplit


class BadNameError(ValueError):
    """The name or address is refused; the text says why."""


def plain(name: str) -> str:
    """The name when it is a relative path ending in .wav, without hidden, empty or upward parts."""
    if len(name.encode()) > 1024 or not name.lower().endswith(".wav"):
        raise BadNameError("a file must be a relative path of at most 1024 bytes ending in .wav")
    if "\\" in name or not name.isprintable():
        raise BadNameError("a file name must be printable and without backslash")
    for part in name.split("/"):
        if not part or part.startswith("."):
            raise BadNameError("a file name must not have empty or hidden parts, '.' or '..'")
    return name


def address(base_url: str, name: str) -> str:
    """Where the file is fetched."""
    return f"{base_url}/files/{quote(plain(name), safe='/')}"


def from_url(base_url: str, url: str) -> str:
    """The name that a complete address stands for; refused unless `address` gives the same place back."""
    base = urlsplit(f"{base_url}/files/")
    try:
        parts = urlsplit(url)
        same = (parts.scheme, parts.hostname, parts.port) == (base.scheme, base.hostname, base.port)
    except ValueError:
        raise BadNameError("url cannot be read") from None
    if (
        not same
        or parts.username is not None
        or parts.password is not None
        or parts.query
        or parts.fragment
        or not parts.path.startswith(base.path)
    ):
        raise BadNameError(f"url must lie below {base_url}/files/")
    try:
        return plain(unquote_to_bytes(parts.path.removeprefix(base.path)).decode("utf-8"))
    except UnicodeDecodeError:
        raise BadNameError("url is not UTF-8") from None
