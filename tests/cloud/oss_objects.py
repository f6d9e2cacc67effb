"""What the tests of OSS share: one bucket, one key, objects in it."""

from __future__ import annotations

from typing import Any

import alibabacloud_oss_v2 as o

from emulator.cloud import Cloud

B = "some-bucket"
KEY = "a folder/ü+?&=%41#.txt"


def put(oss: o.Client, key: str = KEY, body: bytes = b"hello world", **more: Any) -> Any:
    return oss.put_object(o.PutObjectRequest(bucket=B, key=key, body=body, **more))


def get(oss: o.Client, key: str = KEY, **more: Any) -> Any:
    return oss.get_object(o.GetObjectRequest(bucket=B, key=key, **more))


def stored(cloud: Cloud) -> Any:
    return list((cloud.folder / "oss").iterdir())
