"""Objects by the official SDK, version 2: whole, in pieces, in parts."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import alibabacloud_oss_v2 as o
import httpx
import pytest

from emulator.cloud import Cloud
from tests.cloud.conftest import Refused
from tests.cloud.oss_objects import KEY, B, get, put, stored
from tests.cloud.running import Listener


@pytest.fixture
def bucket(oss: o.Client) -> str:
    oss.put_bucket(o.PutBucketRequest(bucket=B))
    return B


# --- objects


@pytest.mark.parametrize("name", [KEY, "a//b/c/", "日本/語", "x" * 1000, "line\nbreak", "plus+ space"])
def test_an_object_comes_back_as_it_went(oss: o.Client, bucket: str, cloud: Cloud, name: str) -> None:
    body = bytes(range(256)) * 1000
    made = put(oss, name, body, metadata={"who": "me"}, content_type="text/x", cache_control="no-cache")
    assert made.etag == f'"{hashlib.md5(body).hexdigest().upper()}"'
    back = get(oss, name)
    assert back.body.read() == body
    assert (back.metadata, back.content_type, back.cache_control) == ({"who": "me"}, "text/x", "no-cache")
    assert back.content_length == len(body)
    assert [one.key for one in oss.list_objects(o.ListObjectsRequest(bucket=B)).contents or []] == [name]
    assert len(stored(cloud)) == 1
    oss.delete_object(o.DeleteObjectRequest(bucket=B, key=name))
    assert stored(cloud) == []


def test_no_crc_but_the_right_one_is_answered(oss: o.Client, bucket: str) -> None:
    """The one value that the definition of CRC-64/XZ gives for these nine bytes."""
    assert int(put(oss, "k", b"123456789").hash_crc64) == 0x995DC9BBDF1939FA


def test_an_object_is_replaced(oss: o.Client, bucket: str, cloud: Cloud) -> None:
    put(oss, "k", b"first")
    reader = get(oss, "k").body
    put(oss, "k", b"second")
    assert reader.read() == b"first"
    assert get(oss, "k").body.read() == b"second"
    assert len(stored(cloud)) == 1


@pytest.mark.parametrize(
    ("wanted", "behavior", "answer"),
    [
        ("bytes=0-3", None, (206, b"hell")),
        ("bytes=6-", None, (206, b"world")),
        ("bytes=-3", None, (206, b"rld")),
        ("bytes=5-99", None, (200, b"hello world")),
        ("bytes=99-", None, (200, b"hello world")),
        ("bytes=5-99", "standard", (206, b" world")),
    ],
)
def test_a_piece_of_an_object(
    oss: o.Client, bucket: str, wanted: str, behavior: str | None, answer: tuple[int, bytes]
) -> None:
    put(oss)
    back = get(oss, range_header=wanted, range_behavior=behavior)
    assert (back.status_code, back.body.read()) == answer


def test_a_piece_that_is_not_there(oss: o.Client, bucket: str, refused: Refused) -> None:
    put(oss)
    with refused("InvalidRange", 416):
        get(oss, range_header="bytes=99-", range_behavior="standard")


def test_conditions(oss: o.Client, bucket: str, refused: Refused) -> None:
    etag = put(oss).etag
    now = datetime.now(UTC)
    before = (now - timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    after = (now + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert get(oss, if_match=etag).body.read()
    assert get(oss, if_modified_since=before).body.read()
    with refused("PreconditionFailed", 412):
        get(oss, if_match='"no"')
    with refused("PreconditionFailed", 412):
        get(oss, if_unmodified_since=before)
    for condition in ({"if_none_match": etag}, {"if_modified_since": after}):
        with pytest.raises(o.exceptions.OperationError) as caught:
            get(oss, **condition)
        assert caught.value.unwrap().status_code == 304


def test_the_head_of_an_object(oss: o.Client, bucket: str, refused: Refused) -> None:
    put(oss, tagging="a=1&b=2")
    head = oss.head_object(o.HeadObjectRequest(bucket=B, key=KEY))
    assert (head.content_length, head.object_type, head.tagging_count) == (11, "Normal", 2)
    meta = oss.get_object_meta(o.GetObjectMetaRequest(bucket=B, key=KEY))
    assert (meta.content_length, meta.etag) == (11, head.etag)
    with refused("NoSuchKey", 404):
        oss.head_object(o.HeadObjectRequest(bucket=B, key="none"))
    assert not oss.is_object_exist(B, "none")


def test_an_object_that_must_not_be_replaced(oss: o.Client, bucket: str, refused: Refused) -> None:
    put(oss, forbid_overwrite=True)
    with refused("FileAlreadyExists", 409):
        put(oss, forbid_overwrite=True)


def test_a_wrong_digest_leaves_nothing(oss: o.Client, bucket: str, cloud: Cloud, refused: Refused) -> None:
    with refused("InvalidDigest"):
        put(oss, content_md5="1B2M2Y8AsgTpgAmY7PhCfg==")
    with refused("InvalidDigest"):
        put(oss, content_md5="short")
    with refused("NoSuchKey", 404):
        get(oss)
    assert stored(cloud) == []


def test_copies(oss: o.Client, bucket: str, refused: Refused) -> None:
    put(oss, metadata={"a": "1"}, tagging="t=1")
    oss.copy_object(o.CopyObjectRequest(bucket=B, key="copy", source_key=KEY))
    head = oss.head_object(o.HeadObjectRequest(bucket=B, key="copy"))
    assert (head.metadata, head.tagging_count) == ({"a": "1"}, 1)
    oss.copy_object(
        o.CopyObjectRequest(
            bucket=B, key="copy", source_key=KEY, metadata_directive="REPLACE", metadata={"b": "2"},
            tagging_directive="Replace",
        )
    )  # fmt: skip
    head = oss.head_object(o.HeadObjectRequest(bucket=B, key="copy"))
    assert (head.metadata, head.tagging_count) == ({"b": "2"}, None)
    assert get(oss, "copy").body.read() == b"hello world"
    with refused("NoSuchKey", 404):
        oss.copy_object(o.CopyObjectRequest(bucket=B, key="copy", source_key="none"))


def test_an_object_grows(oss: o.Client, bucket: str, refused: Refused) -> None:
    first = oss.append_object(o.AppendObjectRequest(bucket=B, key="log", position=0, body=b"one "))
    assert first.next_position == 4
    with refused("PositionNotEqualToLength", 409):
        oss.append_object(o.AppendObjectRequest(bucket=B, key="log", position=0, body=b"x"))
    oss.append_object(o.AppendObjectRequest(bucket=B, key="log", position=4, body=b"two"))
    assert get(oss, "log").body.read() == b"one two"
    put(oss)
    with refused("ObjectNotAppendable", 409):
        oss.append_object(o.AppendObjectRequest(bucket=B, key=KEY, position=11, body=b"x"))


def test_many_objects_are_removed_at_once(oss: o.Client, bucket: str, cloud: Cloud) -> None:
    names = [f"k{at}\x01&<>" for at in range(5)]
    for name in names:
        put(oss, name)
    wanted = [o.DeleteObject(key=name) for name in (*names, "none")]
    done = oss.delete_multiple_objects(o.DeleteMultipleObjectsRequest(bucket=B, objects=wanted[:2]))
    assert [one.key for one in done.deleted_objects] == names[:2]
    oss.delete_multiple_objects(o.DeleteMultipleObjectsRequest(bucket=B, objects=wanted, quiet=True))
    assert stored(cloud) == []


def test_tags_and_acl_of_an_object(oss: o.Client, bucket: str, refused: Refused) -> None:
    put(oss)
    tags = o.Tagging(tag_set=o.TagSet(tags=[o.Tag(key="a", value="1"), o.Tag(key="b")]))
    oss.put_object_tagging(o.PutObjectTaggingRequest(bucket=B, key=KEY, tagging=tags))
    back = oss.get_object_tagging(o.GetObjectTaggingRequest(bucket=B, key=KEY))
    assert [(one.key, one.value or "") for one in back.tag_set.tags] == [("a", "1"), ("b", "")]
    oss.delete_object_tagging(o.DeleteObjectTaggingRequest(bucket=B, key=KEY))
    assert not oss.get_object_tagging(o.GetObjectTaggingRequest(bucket=B, key=KEY)).tag_set.tags
    assert oss.get_object_acl(o.GetObjectAclRequest(bucket=B, key=KEY)).acl == "default"
    oss.put_object_acl(o.PutObjectAclRequest(bucket=B, key=KEY, acl="public-read"))
    assert oss.get_object_acl(o.GetObjectAclRequest(bucket=B, key=KEY)).acl == "public-read"


def test_who_does_not_sign_gets_what_the_acl_allows(oss: o.Client, bucket: str, server: Listener) -> None:
    put(oss, "k")
    asked = f"{server.url}/{B}/k"
    assert httpx.get(asked).status_code == 403
    oss.put_object_acl(o.PutObjectAclRequest(bucket=B, key="k", acl="public-read"))
    assert httpx.get(asked).text == "hello world"
    assert httpx.put(asked, content=b"x").status_code == 403
    block = o.PublicAccessBlockConfiguration(block_public_access=True)
    oss.put_bucket_public_access_block(
        o.PutBucketPublicAccessBlockRequest(bucket=B, public_access_block_configuration=block)
    )
    said = httpx.get(asked)
    assert said.status_code == 403
    assert "<Code>AccessDenied</Code>" in said.text
    assert f"<RequestId>{said.headers['x-oss-request-id']}</RequestId>" in said.text


# --- uploads in parts


def test_an_object_in_parts(oss: o.Client, bucket: str, cloud: Cloud) -> None:
    body = bytes(range(256)) * 4096
    made = oss.uploader().upload_from(
        o.PutObjectRequest(bucket=B, key=KEY, metadata={"a": "1"}), io.BytesIO(body), part_size=300_000
    )
    assert made.etag.endswith('-4"')
    back = get(oss)
    assert (back.body.read(), back.object_type, back.metadata) == (body, "Multipart", {"a": "1"})
    assert len(stored(cloud)) == 1


def test_parts_are_listed_replaced_and_checked(
    oss: o.Client, bucket: str, cloud: Cloud, refused: Refused
) -> None:
    upload = oss.initiate_multipart_upload(o.InitiateMultipartUploadRequest(bucket=B, key=KEY)).upload_id

    def part(number: int, body: bytes) -> Any:
        return oss.upload_part(
            o.UploadPartRequest(bucket=B, key=KEY, upload_id=upload, part_number=number, body=body)
        ).etag

    def complete(*parts: tuple[int, str]) -> Any:
        given = [o.UploadPart(part_number=number, etag=etag) for number, etag in parts]
        return oss.complete_multipart_upload(
            o.CompleteMultipartUploadRequest(
                bucket=B, key=KEY, upload_id=upload,
                complete_multipart_upload=o.CompleteMultipartUpload(parts=given),
            )
        )  # fmt: skip

    assert oss.list_multipart_uploads(o.ListMultipartUploadsRequest(bucket=B)).uploads[0].key == KEY
    small, one, two = part(1, b"small"), part(2, b"1" * 200_000), part(7, b"end")
    with refused("EntityTooSmall"):
        complete((1, small), (2, one))
    with refused("InvalidPartOrder"):
        complete((2, one), (1, small))
    with refused("InvalidPart"):
        complete((1, one))
    big = part(1, b"0" * 200_000)
    listed = oss.list_parts(o.ListPartsRequest(bucket=B, key=KEY, upload_id=upload))
    assert [(row.part_number, row.size) for row in listed.parts] == [(1, 200_000), (2, 200_000), (7, 3)]
    complete((1, big), (7, two))
    assert get(oss).body.read() == b"0" * 200_000 + b"end"
    assert len(stored(cloud)) == 1
    with refused("NoSuchUpload", 404):
        part(3, b"late")


def test_a_part_may_be_a_copy(oss: o.Client, bucket: str) -> None:
    put(oss, "from", b"0123456789")
    upload = oss.initiate_multipart_upload(o.InitiateMultipartUploadRequest(bucket=B, key="to")).upload_id
    etag = oss.upload_part_copy(
        o.UploadPartCopyRequest(
            bucket=B, key="to", upload_id=upload, part_number=1, source_key="from",
            source_range="bytes=2-4",
        )
    ).etag  # fmt: skip
    oss.complete_multipart_upload(
        o.CompleteMultipartUploadRequest(
            bucket=B, key="to", upload_id=upload,
            complete_multipart_upload=o.CompleteMultipartUpload(
                parts=[o.UploadPart(part_number=1, etag=etag)]
            ),
        )
    )  # fmt: skip
    assert get(oss, "to").body.read() == b"234"
