"""Rules of uploads in parts."""

from __future__ import annotations

import hashlib
import uuid
from typing import Final

from emulator.services.oss import buckets, errors, objects
from emulator.services.oss.call import OssCall
from emulator.services.oss.errors import OssError
from emulator.services.oss.files import Written
from emulator.services.oss.model import Part, Upload

MOST_PARTS: Final = 10_000
SMALLEST: Final = 100 << 10
"""Bytes of a part, but for the last."""


def begin(call: OssCall) -> Upload:
    objects.check_key(call.key)
    bucket = buckets.find(call)
    about = objects.described(call, bucket)
    objects.may_be_put(call)
    return call.cloud.store.put(
        Upload(
            id=uuid.uuid4().hex.upper(),
            region="",
            created=call.now,
            bucket=bucket.id,
            key=call.key,
            headers=about.headers,
            meta=about.meta,
            tags=about.tags,
            acl=about.acl,
            storage_class=about.storage_class,
            encryption=about.encryption,
            forbid_overwrite=call.headers.get("x-oss-forbid-overwrite") == "true",
        )
    )


def find(call: OssCall) -> Upload:
    """The upload of the request. Raises OssError."""
    buckets.find(call)
    wanted = call.query["uploadId"]
    found = call.cloud.store.get(Upload, wanted)
    if found is None or (found.bucket, found.key) != (call.bucket, call.key):
        raise errors.no_upload(wanted)
    return found


def add(call: OssCall, number: int, written: Written) -> Part:
    """The part, in place of one with its number."""
    upload = find(call)  # again: it may have been aborted while the bytes came
    part = Part(
        id=str(number),
        region="",
        created=call.cloud.now(),
        file=written.file,
        size=written.size,
        etag=written.etag,
        crc64=written.crc64,
    )
    before = upload.parts.get(number)
    call.cloud.store.put(upload.but(parts=upload.parts | {number: part}))
    if before is not None:
        call.files.remove([before.file])
    return part


def chosen(upload: Upload, wanted: list[tuple[int, str]]) -> list[Part]:
    """The parts that make the object. wanted: their numbers and ETags. Raises OssError."""
    numbers = [number for number, _ in wanted]
    if numbers != sorted(set(numbers)):
        raise OssError(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
    parts: list[Part] = []
    for number, etag in wanted:
        part = upload.parts.get(number)
        if part is None or part.etag != etag.strip().strip('"').upper():
            raise OssError(
                400,
                "InvalidPart",
                "One or more of the specified parts could not be found or the specified entity tag might not "
                "have matched the part's entity tag.",
                PartNumber=str(number),
                UploadId=upload.id,
            )
        parts.append(part)
    if not parts:
        raise OssError(400, "InvalidArgument", "There are no parts to complete.")
    for part in parts[:-1]:
        if part.size < SMALLEST:
            raise OssError(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed object size.",
                MinSizeAllowed=str(SMALLEST),
                ProposedSize=str(part.size),
                PartNumber=part.id,
            )
    return parts


def etag(parts: list[Part]) -> str:
    """Of the whole: the MD5 of the parts' MD5s, and how many they are."""
    digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
    return f"{digest.hexdigest().upper()}-{len(parts)}"


def end(call: OssCall, upload: Upload) -> None:
    """Forget it, with its parts."""
    call.cloud.store.remove(upload)
    call.files.remove(part.file for part in upload.parts.values())
