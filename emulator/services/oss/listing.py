"""What is in a bucket: lists of objects, of versions, of uploads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from emulator.services.oss import buckets, errors
from emulator.services.oss.call import OssCall, Reply, answered, operation
from emulator.services.oss.model import Object, Upload, xml_time

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    rows: list[Any]
    prefixes: list[str]
    last: str
    """The key or prefix that the page ends with."""
    more: bool


def _page(
    found: Iterable[T], key: Callable[[T], str], *, prefix: str, delimiter: str, after: str, most: int
) -> Page:
    """found: in order. What lies behind a delimiter is folded into a prefix; each counts as one."""
    rows: list[T] = []
    prefixes: list[str] = []
    last = ""
    for one in found:
        name = key(one)
        if not name.startswith(prefix):
            continue
        folded = ""
        if delimiter and (at := name.find(delimiter, len(prefix))) >= 0:
            folded = name[: at + len(delimiter)]
        if name.encode() <= after.encode() or (folded and folded in (after, *prefixes[-1:])):
            continue
        if len(rows) + len(prefixes) >= most:
            return Page(rows, prefixes, last, bool(most))
        if folded:
            prefixes.append(folded)
        else:
            rows.append(one)
        last = folded or name
    return Page(rows, prefixes, last, False)


def _encoder(call: OssCall) -> Callable[[str], str]:
    kind = call.query.get("encoding-type", "")
    if kind not in ("", "url"):
        raise errors.argument("encoding-type", kind)
    return (lambda text: quote(text, safe="~")) if kind else (lambda text: text)


def _said(call: OssCall) -> dict[str, str]:
    return {"EncodingType": "url"} if call.query.get("encoding-type") else {}


def _contents(
    call: OssCall, found: list[Object], encoded: Callable[[str], str], owner: bool
) -> list[dict[str, Any]]:
    return [
        {
            "Key": encoded(one.key),
            "LastModified": xml_time(one.created),
            "ETag": f'"{one.etag}"',
            "Type": one.type,
            "Size": one.size,
            "StorageClass": one.storage_class,
        }
        | ({"Owner": _owner(call)} if owner else {})
        for one in found
    ]


def _owner(call: OssCall) -> dict[str, str]:
    return {"ID": call.cloud.account, "DisplayName": call.cloud.account}


_LIST = "prefix delimiter max-keys encoding-type"


@operation("ListObjects", "GET", "bucket", query=f"{_LIST} marker", public="read")
async def list_objects(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    prefix, delimiter, marker = (call.query.get(name, "") for name in ("prefix", "delimiter", "marker"))
    most, encoded = call.number("max-keys", 100, 0, 1000), _encoder(call)
    page = _page(buckets.objects(call.cloud, bucket.id), lambda one: one.key,
                 prefix=prefix, delimiter=delimiter, after=marker, most=most)  # fmt: skip
    return answered(
        "ListBucketResult",
        {
            "Name": bucket.id,
            "Prefix": encoded(prefix),
            "Marker": encoded(marker),
            "MaxKeys": most,
            "Delimiter": encoded(delimiter),
            **_said(call),
            "IsTruncated": page.more,
            "NextMarker": encoded(page.last) if page.more else None,
            "Contents": _contents(call, page.rows, encoded, True),
            "CommonPrefixes": [{"Prefix": encoded(one)} for one in page.prefixes],
        },
    )


@operation("ListObjectsV2", "GET", "bucket", "list-type",
           query=f"{_LIST} continuation-token start-after fetch-owner", public="read")  # fmt: skip
async def list_objects_2(call: OssCall) -> Reply:
    if call.query["list-type"] != "2":
        raise errors.argument("list-type", call.query["list-type"])
    bucket = buckets.find(call)
    prefix, delimiter, start = (call.query.get(name, "") for name in ("prefix", "delimiter", "start-after"))
    token = call.query.get("continuation-token", "")
    most, encoded = call.number("max-keys", 100, 0, 1000), _encoder(call)
    try:
        after = bytes.fromhex(token).decode() if token else start
    except ValueError:
        raise errors.argument("continuation-token", token) from None
    page = _page(buckets.objects(call.cloud, bucket.id), lambda one: one.key,
                 prefix=prefix, delimiter=delimiter, after=after, most=most)  # fmt: skip
    return answered(
        "ListBucketResult",
        {
            "Name": bucket.id,
            "Prefix": encoded(prefix),
            "MaxKeys": most,
            "Delimiter": encoded(delimiter),
            **_said(call),
            "StartAfter": encoded(start) if start else None,
            "ContinuationToken": token or None,
            "IsTruncated": page.more,
            "NextContinuationToken": page.last.encode().hex() if page.more else None,
            "KeyCount": len(page.rows) + len(page.prefixes),
            "Contents": _contents(call, page.rows, encoded, call.query.get("fetch-owner") == "true"),
            "CommonPrefixes": [{"Prefix": encoded(one)} for one in page.prefixes],
        },
    )


@operation("ListObjectVersions", "GET", "bucket", "versions", query=f"{_LIST} key-marker version-id-marker")
async def list_object_versions(call: OssCall) -> Reply:
    """Without versioning each object has one version, `null`."""
    bucket = buckets.find(call)
    prefix, delimiter, marker = (call.query.get(name, "") for name in ("prefix", "delimiter", "key-marker"))
    if call.query.get("version-id-marker", "null") not in ("", "null"):
        raise errors.argument("version-id-marker", call.query["version-id-marker"])
    most, encoded = call.number("max-keys", 100, 1, 1000), _encoder(call)
    page = _page(buckets.objects(call.cloud, bucket.id), lambda one: one.key,
                 prefix=prefix, delimiter=delimiter, after=marker, most=most)  # fmt: skip
    versions = [
        {"Key": row.pop("Key"), "VersionId": "null", "IsLatest": True} | row
        for row in _contents(call, page.rows, encoded, True)
    ]
    return answered(
        "ListVersionsResult",
        {
            "Name": bucket.id,
            "Prefix": encoded(prefix),
            "KeyMarker": encoded(marker),
            "VersionIdMarker": "",
            "MaxKeys": most,
            "Delimiter": encoded(delimiter),
            **_said(call),
            "IsTruncated": page.more,
            "NextKeyMarker": encoded(page.last) if page.more else None,
            "NextVersionIdMarker": "null" if page.more else None,
            "Version": versions,
            "CommonPrefixes": [{"Prefix": encoded(one)} for one in page.prefixes],
        },
    )


@operation("ListMultipartUploads", "GET", "bucket", "uploads",
           query="prefix delimiter max-uploads encoding-type key-marker upload-id-marker")  # fmt: skip
async def list_uploads(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    marker, upload = call.query.get("key-marker", ""), call.query.get("upload-id-marker", "")
    most, encoded = call.number("max-uploads", 1000, 1, 1000), _encoder(call)
    found = buckets.uploads(call.cloud, bucket.id)
    if marker:
        ids = [one.id for one in found if one.key == marker]
        behind = set(ids[ids.index(upload) + 1 :]) if upload in ids else set()
        found = [one for one in found if one.key.encode() > marker.encode() or one.id in behind]
        if delimiter and marker.endswith(delimiter) and len(marker) > len(prefix):  # it was a folded one
            found = [one for one in found if not one.key.startswith(marker)]
    # Two uploads of one key are two rows: a marker behind a key would lose the second.
    page = _page(found, lambda one: one.key, prefix=prefix, delimiter=delimiter, after="", most=most)
    uploads: list[Upload] = page.rows
    return answered(
        "ListMultipartUploadsResult",
        {
            "Bucket": bucket.id,
            "KeyMarker": encoded(marker),
            "UploadIdMarker": upload,
            "NextKeyMarker": encoded(page.last) if page.more else "",
            "NextUploadIdMarker": uploads[-1].id if page.more and uploads else "",
            "Delimiter": encoded(delimiter),
            "Prefix": encoded(prefix),
            **_said(call),
            "MaxUploads": most,
            "IsTruncated": page.more,
            "Upload": [
                {
                    "Key": encoded(one.key),
                    "UploadId": one.id,
                    "StorageClass": one.storage_class,
                    "Initiated": xml_time(one.created),
                }
                for one in uploads
            ],
            "CommonPrefixes": [{"Prefix": encoded(one)} for one in page.prefixes],
        },
    )
