"""Operations on uploads in parts."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote

from emulator.services.oss import conditions, errors, grammar, objects, uploads
from emulator.services.oss.call import OssCall, Reply, answered, operation
from emulator.services.oss.errors import OssError
from emulator.services.oss.model import Object, object_id, xml_time
from emulator.services.oss.objects import DESCRIBING, Described
from emulator.services.oss.objects_api import SOURCE
from emulator.services.oss.xml import parse


@operation("InitiateMultipartUpload", "POST", "object", "uploads", query="encoding-type sequential",
           headers=f"{DESCRIBING} x-oss-forbid-overwrite")  # fmt: skip
async def initiate_multipart_upload(call: OssCall) -> Reply:
    """sequential changes nothing: every upload's parts may come in order."""
    upload = uploads.begin(call)
    content = {"Bucket": upload.bucket, "Key": _key(call, upload.key), "UploadId": upload.id}
    return answered("InitiateMultipartUploadResult", _said(call) | content, **upload.encryption)


@operation("UploadPart", "PUT", "object", "uploadId", query="partNumber")
async def upload_part(call: OssCall) -> Reply:
    number = _number(call)
    uploads.find(call)
    written = await call.files.receive(call.stream(), call.headers.get("content-md5", ""))
    try:
        part = uploads.add(call, number, written)
    except BaseException:
        call.files.remove([written.file])
        raise
    return Reply(headers={"etag": f'"{part.etag}"', "x-oss-hash-crc64ecma": str(part.crc64)})


@operation("UploadPartCopy", "PUT", "object", "uploadId+copy", query="partNumber",
           headers=f"{SOURCE} x-oss-copy-source-range")  # fmt: skip
async def upload_part_copy(call: OssCall) -> Reply:
    number = _number(call)
    uploads.find(call)
    found = objects.source(call)
    if conditions.unchanged(found, call.headers, "x-oss-copy-source-"):
        raise OssError(304, "NotModified", "The source is not modified.")
    start, length = 0, found.size
    if (text := call.headers.get("x-oss-copy-source-range")) is not None:
        matched = re.fullmatch(r"bytes=(\d+)-(\d+)", text)
        if matched is None or not int(matched[1]) <= int(matched[2]) < found.size:
            raise OssError(416, "InvalidRange", "The requested range cannot be satisfied", Range=text)
        start, length = int(matched[1]), int(matched[2]) - int(matched[1]) + 1
    written = await asyncio.to_thread(call.files.copy, [(found.file, start, length)])
    try:
        part = uploads.add(call, number, written)
    except BaseException:
        call.files.remove([written.file])
        raise
    content = {"ETag": f'"{part.etag}"', "LastModified": xml_time(part.created)}
    return answered("CopyPartResult", content, **{"x-oss-hash-crc64ecma": str(part.crc64)})


@operation("CompleteMultipartUpload", "POST", "object", "uploadId", query="encoding-type",
           headers="x-oss-forbid-overwrite x-oss-complete-all x-oss-object-acl")  # fmt: skip
async def complete_multipart_upload(call: OssCall) -> Reply:
    body = await call.body()
    upload = uploads.find(call)
    if call.headers.get("x-oss-complete-all") == "yes":
        if body.strip():
            raise errors.argument("x-oss-complete-all", "yes", "x-oss-complete-all goes without a body.")
        wanted = [(number, part.etag) for number, part in sorted(upload.parts.items())]
    else:
        root = parse(body)
        grammar.check("complete", root)
        wanted = [(int(one.get("PartNumber")), one.get("ETag")) for one in root.all("Part")]
    parts = uploads.chosen(upload, wanted)
    objects.may_be_put(call)
    if upload.forbid_overwrite and call.cloud.store.get(Object, object_id(call.bucket, call.key)):
        raise errors.key_exists(call.key)
    acl = call.one_of("x-oss-object-acl", objects.ACLS, upload.acl)
    about = Described(upload.storage_class, upload.headers, upload.meta, upload.tags, acl, upload.encryption)
    written = await asyncio.to_thread(call.files.copy, [(part.file, 0, part.size) for part in parts])
    try:
        uploads.find(call)  # it may have been aborted meanwhile
        made = objects.put(call, written, about, kind="Multipart", etag=uploads.etag(parts))
    except BaseException:
        call.files.remove([written.file])
        raise
    uploads.end(call, uploads.find(call))
    content = {
        "Location": f"http://{call.bucket}.oss-{call.region}.aliyuncs.com/{quote(call.key)}",
        "Bucket": call.bucket,
        "Key": _key(call, call.key),
        "ETag": f'"{made.etag}"',
    }
    headers = {"x-oss-hash-crc64ecma": str(made.crc64), "etag": f'"{made.etag}"', **made.encryption}
    return answered("CompleteMultipartUploadResult", _said(call) | content, **headers)


@operation("AbortMultipartUpload", "DELETE", "object", "uploadId")
async def abort_multipart_upload(call: OssCall) -> Reply:
    uploads.end(call, uploads.find(call))
    return Reply(204)


@operation("ListParts", "GET", "object", "uploadId", query="max-parts part-number-marker encoding-type")
async def list_parts(call: OssCall) -> Reply:
    upload = uploads.find(call)
    most = call.number("max-parts", 1000, 1, 1000)
    marker = call.number("part-number-marker", 0, 0, uploads.MOST_PARTS)
    found = [part for number, part in sorted(upload.parts.items()) if number > marker]
    content: dict[str, Any] = {
        "Bucket": upload.bucket,
        "Key": _key(call, upload.key),
        "UploadId": upload.id,
        "StorageClass": upload.storage_class,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": found[:most][-1].id if found else marker,
        "MaxParts": most,
        "IsTruncated": len(found) > most,
        "Part": [
            {
                "PartNumber": part.id,
                "LastModified": xml_time(part.created),
                "ETag": f'"{part.etag}"',
                "HashCrc64ecma": part.crc64,
                "Size": part.size,
            }
            for part in found[:most]
        ],
    }
    return answered("ListPartsResult", _said(call) | content)


def _number(call: OssCall) -> int:
    if "partNumber" not in call.query:
        raise errors.argument("partNumber", "")
    return call.number("partNumber", 0, 1, uploads.MOST_PARTS)


def _said(call: OssCall) -> dict[str, str]:
    return {"EncodingType": "url"} if call.query.get("encoding-type") == "url" else {}


def _key(call: OssCall, key: str) -> str:
    return quote(key, safe="~") if call.query.get("encoding-type") == "url" else key
