"""Rules of buckets."""

from __future__ import annotations

import re
from typing import Final

from emulator.cloud import Cloud
from emulator.services.oss import errors
from emulator.services.oss.call import OssCall
from emulator.services.oss.model import Bucket, Object, Upload

MOST: Final = 100
ACLS: Final = ("private", "public-read", "public-read-write")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


def find(call: OssCall, *, anywhere: bool = False) -> Bucket:
    """The bucket of the request. Raises OssError, for one of another region, too, unless `anywhere`."""
    if not _NAME.fullmatch(call.bucket):
        raise errors.bucket_name(call.bucket)
    found = call.cloud.store.get(Bucket, call.bucket)
    if found is None:
        raise errors.no_bucket(call.bucket)
    if not anywhere and call.region_known and found.region != call.region:
        raise errors.other_region(found.id, found.region)
    return found


def create(
    call: OssCall, *, acl: str | None, storage_class: str, redundancy: str, resource_group: str
) -> Bucket:
    """Who has it already may set its ACL so, and nothing else."""
    if not _NAME.fullmatch(call.bucket):
        raise errors.bucket_name(call.bucket)
    store = call.cloud.store
    if (held := store.get(Bucket, call.bucket)) is not None:
        if (held.region, held.storage_class, held.redundancy) != (call.region, storage_class, redundancy):
            raise errors.bucket_exists(call.bucket)
        return store.put(held.but(acl=acl or held.acl))
    if len(store.all(Bucket)) >= MOST:
        raise errors.OssError(
            400, "TooManyBuckets", "You have attempted to create more buckets than allowed."
        )
    return store.put(
        Bucket(
            id=call.bucket,
            region=call.region,
            created=call.now,
            acl=acl or "private",
            storage_class=storage_class,
            redundancy=redundancy,
            resource_group=resource_group,
        )
    )


def delete(cloud: Cloud, bucket: Bucket) -> None:
    if objects(cloud, bucket.id) or uploads(cloud, bucket.id):
        raise errors.not_empty(bucket.id)
    cloud.store.remove(bucket)


def set_(cloud: Cloud, bucket: Bucket, name: str, text: str | None) -> None:
    """text: None to unset it."""
    kept = {key: value for key, value in bucket.settings.items() if key != name}
    cloud.store.put(bucket.but(settings=kept | ({} if text is None else {name: text})))


def objects(cloud: Cloud, bucket: str) -> list[Object]:
    """By key, in the order of its bytes, as OSS lists them."""
    return sorted(
        (one for one in cloud.store.all(Object) if one.bucket == bucket), key=lambda one: one.key.encode()
    )


def uploads(cloud: Cloud, bucket: str) -> list[Upload]:
    found = (one for one in cloud.store.all(Upload) if one.bucket == bucket)
    return sorted(found, key=lambda one: (one.key.encode(), one.created, one.id))
