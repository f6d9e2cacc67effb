"""What a name says: whether the value beside it, or the file behind it, is a secret."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
# Meant wherever they stand in a name, also glued to another word (`PGPASSWORD`, `SECRET_KEY_V2`).
_STRONG: Final = re.compile(
    r"passw(?:or)?d(?!less)|passphrase|passcode|secret(?!ar)|credential|requirepass|masterauth"
    r"|(?:otp|hmac|wallet|mfa|2_fa|bip_39)_seed$"
)
# Meant as the last word only: `KEY_COUNT` and `TOKENIZER` are something else.
_LAST: Final = frozenset(
    {
        *("auth", "authorization", "cookie", "cookies", "creds", "jwt", "key", "mnemonic", "pass", "pepper"),
        *("pin", "psk", "pw", "pwd", "salt", "signing", "tokens"),
    }
)
_ENDINGS: Final = ("token", "apikey", "secretkey", "accesskey", "privatekey", "pass", "pw", "psk")
_NO_PASS: Final = re.compile(r"(?:by|com|encom|multi|over|sur|tres|under)pass$")
_PLURAL: Final = re.compile(
    r"(?:^|_)(?:access|api|auth|bearer|encryption|private|refresh|signing)_(?:keys|tokens)$"
)
# Which of several the value is, and not what it is (`PASSWORD2`, `JWT_KEY_V2`, `TOKEN_OLD`).
_VARIANT: Final = re.compile(
    r"(?:_(?:\d+|v|b|base|base64|current|dev|hash|hashed|new|old|prev|previous|prod|raw|staging|test|value))+$"
)
# The last word is `key` or `token`, and yet nobody has to hide it.
_HARMLESS: Final = re.compile(
    r"(?:^|_)(?:cache|event|foreign|group|hash|idempotency|index|lock|lookup|map|max|min|object|order|partition"
    r"|primary|public|publishable|row|routing|shard|site|sort|i_18_n|l_10_n|locale|message|translation)_(?:key|token)$"
    r"|(?:^|_)(?:bos|cls|eos|mask|pad|sep|stop|unk)_token$"
    r"|(?:^|_)(?:bad|context|extra|input|max|min|n|new|num|output|special|stop|total)_tokens$"
    r"|^(?:old)?pwd$|(?:^|_)(?:no|allow_empty|proxy)_pass(?:word)?$"
)
# It is about a secret: where it is kept, how it is made, how long it lives.
_ABOUT: Final = re.compile(
    r"_(?:algorithm|age|attempts|audience|backend|chars|cost|count|days|enabled|encryption|endpoint|expiry|expires"
    r"|field|format|hashers?|header|host|hours|interval|issuer|iterations|label|length|limit|manager|max|min|minutes|mode"
    r"|name|policy|port|prefix|prompt|provider|region|required|retries|rotation|rounds|scheme|seconds|size|stdin|store"
    r"|timeout|ttl|type|uri|url|version)$"
)
_GIVEN_AWAY: Final = re.compile(r"(?:^|_)(?:authorized|host|pub|public|publishable|site|trusted)_keys?$")
_ADDRESS: Final = re.compile(r"_(?:endpoint|uri|url)$")
_PLACE: Final = re.compile(r"_(?:dir|directory|file|folder|path)$")
# Endings that a file of one secret has; what else a name ends in is program text or documentation.
_FILE_ENDINGS: Final = re.compile(r"\.(?:cfg|conf|env|ini|jks|json|key|p12|pem|pfx|toml|txt|ya?ml)$")
_FILE_NOUNS: Final = re.compile(r"(?:^|_)(?:auth|jwt|signing)$")


def _plain(name: str) -> str:
    return "_".join(word.lower() for word in _WORDS.findall(name))


def names_secret(name: str) -> bool:
    """Whether the value of a variable, flag or label of that name is a secret (`DB_PASSWORD`, `api-key`)."""
    return _is_secret(_plain(name))


def names_secret_place(name: str) -> bool:
    """Whether the value is the path of a secret (`DB_PASSWORD_FILE`)."""
    plain = _plain(name)
    return _PLACE.search(plain) is not None and _is_secret(_PLACE.sub("", plain))


def names_secret_address(name: str) -> bool:
    """Whether the value is the address of, or behind, a secret (`PASSWORD_RESET_URL`)."""
    plain = _plain(name)
    return _ADDRESS.search(plain) is not None and _is_secret(_ADDRESS.sub("", plain))


def names_key(name: str) -> bool:
    """Whether a value that looks random is a secret key: any key but one that is there to be given away."""
    plain = _VARIANT.sub("", _plain(name))
    return re.search(r"keys?$", plain) is not None and _GIVEN_AWAY.search(plain) is None


def names_secret_file(name: str) -> bool:
    """Whether a file of that name holds a secret (`db_password`, `server.key`, `api-key.json`)."""
    stem = _FILE_ENDINGS.sub("", name)
    if "." in stem.strip("."):
        return False
    plain = _plain(stem)
    if name.endswith(".key"):
        return _HARMLESS.search(f"{plain}_key") is None
    return _FILE_NOUNS.search(plain) is None and _is_secret(plain)


def _is_secret(plain: str) -> bool:
    if _PLACE.search(plain) or _ABOUT.search(plain):
        return False
    plain = _VARIANT.sub("", plain)
    if _HARMLESS.search(plain):
        return False
    last = plain.rpartition("_")[2]
    return (
        _STRONG.search(plain) is not None
        or last in _LAST
        or (last.endswith(_ENDINGS) and not _NO_PASS.search(last))
        or _PLURAL.search(plain) is not None
    )
