"""Operations on objects."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from emulator.services.oss import buckets, conditions, errors, grammar, objects
from emulator.services.oss.call import OssCall, Reply, answered, operation
from emulator.services.oss.errors import OssError
from emulator.services.oss.files import blocks
from emulator.services.oss.model import Object, object_id, xml_time
from emulator.services.oss.objects import DESCRIBING
from emulator.services.oss.xml import parse

ANSWERED: Final = (
    "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
)  # fmt: skip
"""Headers that a request may order for its answer, as response-NAME."""
SOURCE: Final = " ".join(
    f"x-oss-copy-source{end}"
    for end in ("", "-if-match", "-if-none-match", "-if-modified-since", "-if-unmodified-since")
)


@operation("PutObject", "PUT", "object", headers=f"{DESCRIBING} x-oss-forbid-overwrite", public="write")
async def put_object(call: OssCall) -> Reply:
    objects.check_key(call.key)
    bucket = buckets.find(call)
    about = objects.described(call, bucket)
    objects.may_be_put(call)
    written = await call.files.receive(call.stream(), call.headers.get("content-md5", ""))
    try:
        made = objects.put(call, written, about)
    except BaseException:
        call.files.remove([written.file])
        raise
    return Reply(
        headers={
            "etag": f'"{made.etag}"',
            "content-md5": base64.b64encode(written.md5).decode(),
            "x-oss-hash-crc64ecma": str(made.crc64),
            **made.encryption,
        }
    )


_COPYING: Final = "x-oss-metadata-directive x-oss-tagging-directive x-oss-forbid-overwrite"


@operation("CopyObject", "PUT", "object", "+copy", headers=f"{DESCRIBING} {SOURCE} {_COPYING}")
async def copy_object(call: OssCall) -> Reply:
    objects.check_key(call.key)
    bucket = buckets.find(call)
    found = objects.source(call)
    if conditions.unchanged(found, call.headers, "x-oss-copy-source-"):
        raise OssError(304, "NotModified", "The source is not modified.")
    about = objects.described(call, bucket)
    if call.one_of("x-oss-metadata-directive", ("COPY", "REPLACE"), "COPY") == "COPY":
        about = replace(about, headers=found.headers, meta=found.meta)
    if (
        call.one_of("x-oss-tagging-directive", ("Copy", "Replace", "COPY", "REPLACE"), "Copy").title()
        == "Copy"
    ):
        about = replace(about, tags=found.tags)
    objects.may_be_put(call)
    written = await asyncio.to_thread(call.files.copy, [(found.file, 0, found.size)])
    try:
        made = objects.put(call, written, about)
    except BaseException:
        call.files.remove([written.file])
        raise
    content = {"ETag": f'"{made.etag}"', "LastModified": xml_time(made.created)}
    headers = {"x-oss-hash-crc64ecma": str(made.crc64), **made.encryption}
    return answered("CopyObjectResult", content, **headers)


@operation("AppendObject", "POST", "object", "append", query="position", headers=DESCRIBING, public="write")
async def append_object(call: OssCall) -> Reply:
    objects.check_key(call.key)
    bucket = buckets.find(call)
    about = objects.described(call, bucket)
    before = call.cloud.store.get(Object, object_id(bucket.id, call.key))
    if before is not None and before.type != "Appendable":
        raise OssError(409, "ObjectNotAppendable", "The object is not appendable.", Key=call.key)
    if "position" not in call.query:
        raise errors.argument("position", "")
    _must_be(call, before)
    written = await call.files.append(call.stream(), call.headers.get("content-md5", ""), before)
    try:
        if call.cloud.store.get(Object, object_id(bucket.id, call.key)) != before:
            _must_be(call, call.cloud.store.get(Object, object_id(bucket.id, call.key)))
        if before is not None:
            about = objects.Described(
                before.storage_class, before.headers, before.meta, before.tags, before.acl, before.encryption
            )
        made = objects.put(call, written, about, kind="Appendable")
    except BaseException:
        call.files.remove([written.file])
        raise
    return Reply(
        headers={
            "etag": f'"{made.etag}"',
            "x-oss-hash-crc64ecma": str(made.crc64),
            "x-oss-next-append-position": str(made.size),
        }
    )


def _must_be(call: OssCall, before: Object | None) -> None:
    size = before.size if before else 0
    if call.number("position", 0, 0, 1 << 62) != size:
        raise OssError(409, "PositionNotEqualToLength", "Position is not equal to file length.",
                       **{"x-oss-next-append-position": str(size)})  # fmt: skip


_READING: Final = "versionId " + " ".join(f"response-{name}" for name in ANSWERED)


@operation("GetObject", "GET", "object", query=_READING, headers="x-oss-range-behavior", public="read")
async def get_object(call: OssCall) -> Reply:
    found = objects.find(call)
    headers = objects.shown(found)
    for name in ANSWERED:
        if (text := call.query.get(f"response-{name}")) is not None:
            headers[name] = text
    if conditions.unchanged(found, call.headers):
        return Reply(304, headers)
    piece = conditions.piece(found, call.headers)
    start, length = piece or (0, found.size)
    headers["content-length"] = str(length)
    if piece is not None:
        headers["content-range"] = f"bytes {start}-{start + length - 1}/{found.size}"
    # Opened now: who deletes the object afterwards does not take it from this reader.
    chunks = blocks(call.files.open(found.file), start, length)
    return Reply(206 if piece is not None else 200, headers, chunks=chunks)


@operation("HeadObject", "HEAD", "object", query="versionId", public="read")
async def head_object(call: OssCall) -> Reply:
    found = objects.find(call)
    headers = objects.shown(found)
    if conditions.unchanged(found, call.headers):
        return Reply(304, headers)
    return Reply(200, headers | {"content-length": str(found.size)})


@operation("GetObjectMeta", "HEAD", "object", "objectMeta", query="versionId", public="read")
async def get_object_meta(call: OssCall) -> Reply:
    found = objects.find(call)
    shown = objects.shown(found)
    headers = {name: shown[name] for name in ("etag", "last-modified", "x-oss-hash-crc64ecma")}
    return Reply(200, headers | {"content-length": str(found.size)})


@operation("DeleteObject", "DELETE", "object", query="versionId", public="write")
async def delete_object(call: OssCall) -> Reply:
    buckets.find(call)
    objects.check_version(call)
    objects.delete(call, call.key)
    return Reply(204)


@operation("DeleteMultipleObjects", "POST", "bucket", "delete", query="encoding-type", public="write")
async def delete_multiple_objects(call: OssCall) -> Reply:
    body = await call.body()
    buckets.find(call)
    given = call.headers.get("content-md5", "")
    if given and given != base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode():
        raise errors.digest(given, well_formed=True)
    root = parse(body)
    grammar.check("delete", root)
    wanted = root.all("Object")
    if len(wanted) > 1000:
        raise errors.malformed_xml("It has more than 1000 objects.")
    encoded = call.query.get("encoding-type") == "url"
    rows: list[dict[str, Any]] = []
    for one in wanted:
        if one.get("VersionId", "null") not in ("", "null"):
            raise errors.argument("VersionId", one.get("VersionId"))
    for one in wanted:
        objects.delete(call, one.get("Key"))
        key = quote(one.get("Key"), safe="~") if encoded else one.get("Key")
        rows.append({"Key": key} | ({"VersionId": "null"} if one.find("VersionId") else {}))
    if root.get("Quiet") == "true":
        rows = []
    return answered("DeleteResult", ({"EncodingType": "url"} if encoded else {}) | {"Deleted": rows})


@operation("PutObjectAcl", "PUT", "object", "acl", query="versionId", headers="x-oss-object-acl")
async def put_object_acl(call: OssCall) -> Reply:
    found = objects.find(call)
    if "x-oss-object-acl" not in call.headers:
        raise errors.argument("x-oss-object-acl", "")
    about = objects.described(call, buckets.find(call))
    call.cloud.store.put(found.but(acl=about.acl))
    return Reply()


@operation("GetObjectAcl", "GET", "object", "acl", query="versionId")
async def get_object_acl(call: OssCall) -> Reply:
    found = objects.find(call)
    owner = {"ID": call.cloud.account, "DisplayName": call.cloud.account}
    return answered("AccessControlPolicy", {"Owner": owner, "AccessControlList": {"Grant": found.acl}})


@operation("PutObjectTagging", "PUT", "object", "tagging", query="versionId")
async def put_object_tagging(call: OssCall) -> Reply:
    root = parse(await call.body())
    found = objects.find(call)
    grammar.check("tagging", root)
    pairs = [(tag.get("Key"), tag.get("Value")) for tag in root.below[0].all("Tag")]
    call.cloud.store.put(found.but(tags=objects.checked_tags(pairs)))
    return Reply()


@operation("GetObjectTagging", "GET", "object", "tagging", query="versionId")
async def get_object_tagging(call: OssCall) -> Reply:
    tags = objects.find(call).tags
    rows = [{"Key": key, "Value": text} for key, text in sorted(tags.items())]
    return answered("Tagging", {"TagSet": {"Tag": rows}})


@operation("DeleteObjectTagging", "DELETE", "object", "tagging", query="versionId")
async def delete_object_tagging(call: OssCall) -> Reply:
    call.cloud.store.put(objects.find(call).but(tags={}))
    return Reply(204)
