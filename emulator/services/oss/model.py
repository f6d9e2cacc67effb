"""Buckets, objects and uploads, as they are kept. The bytes lie in files, see files.py."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from emulator.store import Thing


class Bucket(Thing, kind="oss-bucket"):
    """Its id is its name, of which there is one in the whole cloud. The region says where its objects are."""

    acl: str = "private"
    storage_class: str = "Standard"
    redundancy: str = "LRS"
    resource_group: str = "rg-default"
    settings: dict[str, str] = Field(default_factory=dict)
    """What was set of it, by sub-resource: XML or JSON."""


class Object(Thing, kind="oss-object"):
    """Its id is `BUCKET/KEY`. `created` is when it was last modified."""

    bucket: str
    key: str
    file: str
    size: int
    etag: str
    """Without the quotes."""
    crc64: int
    type: str = "Normal"
    """Normal, Multipart or Appendable."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Content-Type and the like, as they are answered."""
    meta: dict[str, str] = Field(default_factory=dict)
    """The x-oss-meta- headers, without that."""
    tags: dict[str, str] = Field(default_factory=dict)
    acl: str = "default"
    storage_class: str
    encryption: dict[str, str] = Field(default_factory=dict)
    """The headers that say how it is encrypted; the bytes here are not."""


class Part(Thing):
    """One part of an upload; `id` is its number."""

    file: str
    size: int
    etag: str
    crc64: int


class Upload(Thing, kind="oss-upload"):
    """An object that comes in parts; `id` is the upload's."""

    bucket: str
    key: str
    parts: dict[int, Part] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    meta: dict[str, str] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    acl: str = "default"
    storage_class: str
    encryption: dict[str, str] = Field(default_factory=dict)
    forbid_overwrite: bool = False


def object_id(bucket: str, key: str) -> str:
    return f"{bucket}/{key}"


def http_time(time: datetime) -> str:
    """Mon, 23 Nov 2026 07:05:31 GMT."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT")


def xml_time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
