"""Rules of objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

from emulator.services.oss import buckets, errors, settings
from emulator.services.oss.call import META, OssCall
from emulator.services.oss.errors import OssError
from emulator.services.oss.files import Written
from emulator.services.oss.grammar import CLASS
from emulator.services.oss.model import Bucket, Object, http_time, object_id

ACLS: Final = ("default", "private", "public-read", "public-read-write")
LARGEST_META: Final = 8 << 10
KEPT: Final = (
    "content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
)  # fmt: skip
"""The headers of a put that a get answers."""
ENCRYPTION: Final = (
    "x-oss-server-side-encryption", "x-oss-server-side-encryption-key-id",
    "x-oss-server-side-data-encryption",
)  # fmt: skip
DESCRIBING: Final = " ".join((META, "x-oss-object-acl", "x-oss-storage-class", "x-oss-tagging", *ENCRYPTION))
"""The x-oss- headers that `described` reads."""


@dataclass(frozen=True)
class Described:
    """What a put says of an object beside its bytes."""

    storage_class: str
    headers: dict[str, str] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    acl: str = "default"
    encryption: dict[str, str] = field(default_factory=dict)


def check_key(key: str) -> None:
    """Raises OssError."""
    if not 1 <= len(key.encode(errors="surrogatepass")) <= 1023 or key[0] in "/\\":
        raise errors.key_name(key)
    try:
        key.encode()
    except UnicodeEncodeError:
        raise errors.key_name(key) from None


def described(call: OssCall, bucket: Bucket) -> Described:
    """Of the request's headers. Raises OssError."""
    headers = call.headers
    meta = {name.removeprefix(META): text for name, text in headers.items() if name.startswith(META)}
    if any(not re.fullmatch(r"[a-z0-9-]+", name) for name in meta):
        raise errors.argument(META, next(iter(meta)), "The name of user meta is letters, digits and dashes.")
    if sum(len(name) + len(text) for name, text in meta.items()) > LARGEST_META:
        raise OssError(
            400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size."
        )
    own = {name: headers[name] for name in ENCRYPTION if headers.get(name)}
    if own and own.get(ENCRYPTION[0]) not in ("AES256", "KMS", "SM4"):
        raise OssError(
            400, "InvalidEncryptionAlgorithmError", "The encryption request you specified is not valid."
        )
    acl = call.one_of("x-oss-object-acl", ACLS, "default")
    if acl.startswith("public") and settings.public_access_blocked(bucket.settings):
        raise errors.denied("Put public object acl is not allowed.")
    return Described(
        storage_class=call.one_of("x-oss-storage-class", CLASS, bucket.storage_class),
        headers={name: headers[name] for name in KEPT if headers.get(name)},
        meta=meta,
        tags=tags_of(headers.get("x-oss-tagging", "")),
        acl=acl,
        encryption=own or settings.encryption(bucket.settings),
    )


def tags_of(text: str) -> dict[str, str]:
    """Of the header x-oss-tagging: `a=1&b=2`."""
    pairs = parse_qsl(text, keep_blank_values=True)
    if text and not pairs:
        raise errors.argument("x-oss-tagging", text)
    return checked_tags(pairs)


def checked_tags(pairs: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in pairs:
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise OssError(400, "InvalidTag", "The tag provided was not a valid tag.", TagKey=key)
        if key in found:
            raise OssError(400, "InvalidTag", "Cannot provide multiple Tags with the same key.", TagKey=key)
        found[key] = value
    if len(found) > 10:
        raise OssError(400, "InvalidTag", "Object tags cannot be greater than 10.")
    return found


def find(call: OssCall) -> Object:
    """The object of the request. Raises OssError."""
    bucket = buckets.find(call)
    check_version(call)
    found = call.cloud.store.get(Object, object_id(bucket.id, call.key))
    if found is None:
        raise errors.no_key(call.key)
    return found


def check_version(call: OssCall) -> None:
    """Without versioning there is one version of an object, `null`."""
    if (wanted := call.query.get("versionId", "null")) != "null":
        raise OssError(404, "NoSuchVersion", "The specified version does not exist.", VersionId=wanted)


def source(call: OssCall) -> Object:
    """What x-oss-copy-source names: `/bucket/key`, encoded. Raises OssError."""
    place, _, version = unquote(call.headers["x-oss-copy-source"]).lstrip("/").partition("?versionId=")
    name, _, key = place.partition("/")
    if not name or not key:
        raise errors.argument("x-oss-copy-source", call.headers["x-oss-copy-source"])
    if version not in ("", "null"):
        raise OssError(404, "NoSuchVersion", "The specified version does not exist.", VersionId=version)
    bucket = call.cloud.store.get(Bucket, name)
    if bucket is None:
        raise errors.no_bucket(name)
    if bucket.region != buckets.find(call).region:
        raise errors.denied("Target object does not reside in the same data center as source object.")
    found = call.cloud.store.get(Object, object_id(name, key))
    if found is None:
        raise errors.no_key(key)
    return found


def may_be_put(call: OssCall) -> None:
    """Raises OssError where the key is taken and the request says that it must not be."""
    text = call.headers.get("x-oss-forbid-overwrite", "false")
    if text not in ("true", "false"):
        raise errors.argument("x-oss-forbid-overwrite", text)
    if text == "true" and call.cloud.store.get(Object, object_id(call.bucket, call.key)) is not None:
        raise errors.key_exists(call.key)


def put(call: OssCall, written: Written, about: Described, *, kind: str = "Normal", etag: str = "") -> Object:
    """The object, in place of one with its key. Raises OssError where the bucket has gone meanwhile."""
    store = call.cloud.store
    if store.get(Bucket, call.bucket) is None:
        raise errors.no_bucket(call.bucket)
    may_be_put(call)
    before = store.get(Object, object_id(call.bucket, call.key))
    made = store.put(
        Object(
            id=object_id(call.bucket, call.key),
            region="",
            created=call.cloud.now(),
            bucket=call.bucket,
            key=call.key,
            file=written.file,
            size=written.size,
            etag=etag or written.etag,
            crc64=written.crc64,
            type=kind,
            headers=about.headers,
            meta=about.meta,
            tags=about.tags,
            acl=about.acl,
            storage_class=about.storage_class,
            encryption=about.encryption,
        )
    )
    if before is not None:
        call.files.remove([before.file])
    return made


def delete(call: OssCall, key: str) -> bool:
    """Whether there was one: for OSS it is no error that there was none."""
    found = call.cloud.store.get(Object, object_id(call.bucket, key))
    if found is None:
        return False
    call.cloud.store.remove(found)
    call.files.remove([found.file])
    return True


def allows(call: OssCall, need: str) -> bool:
    """Whether the ACLs let somebody who did not sign do it. need: read or write."""
    bucket = call.cloud.store.get(Bucket, call.bucket)
    if bucket is None:
        return True  # it will be said that there is none
    if settings.public_access_blocked(bucket.settings):
        return False
    acl = bucket.acl
    if call.key and (found := call.cloud.store.get(Object, object_id(call.bucket, call.key))) is not None:
        acl = bucket.acl if found.acl == "default" else found.acl
    return acl == "public-read-write" or (need == "read" and acl == "public-read")


def shown(one: Object) -> dict[str, str]:
    """The headers of an answer that tell of an object."""
    headers: Mapping[str, str] = {"content-type": "application/octet-stream"} | one.headers
    return {
        **headers,
        **{META + name: text for name, text in one.meta.items()},
        **one.encryption,
        **({"x-oss-tagging-count": str(len(one.tags))} if one.tags else {}),
        "etag": f'"{one.etag}"',
        "last-modified": http_time(one.created),
        "accept-ranges": "bytes",
        "x-oss-object-type": one.type,
        "x-oss-hash-crc64ecma": str(one.crc64),
        "x-oss-storage-class": one.storage_class,
    }
