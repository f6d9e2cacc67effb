"""Buckets by the official SDK, version 2: themselves, what lies in them, trouble."""

from __future__ import annotations

from typing import Any

import alibabacloud_oss_v2 as o
import pytest

from emulator.access import AccessKey
from emulator.api.faults import Fault
from emulator.cloud import Cloud, open_cloud
from emulator.services.oss.files import Files
from emulator.services.oss.model import Bucket
from tests.cloud.conftest import Refused
from tests.cloud.oss_objects import KEY, B, get, put, stored
from tests.cloud.running import Listener


@pytest.fixture
def bucket(oss: o.Client) -> str:
    oss.put_bucket(o.PutBucketRequest(bucket=B))
    return B


# --- buckets


def test_a_bucket_is_made_read_and_removed(oss: o.Client, cloud: Cloud, refused: Refused) -> None:
    oss.put_bucket(
        o.PutBucketRequest(
            bucket=B,
            acl="public-read",
            resource_group_id="rg-abc",
            create_bucket_configuration=o.CreateBucketConfiguration(
                storage_class="IA", data_redundancy_type="ZRS"
            ),
        )
    )
    info = oss.get_bucket_info(o.GetBucketInfoRequest(bucket=B)).bucket_info
    assert (info.name, info.acl, info.storage_class) == (B, "public-read", "IA")
    assert (info.data_redundancy_type, info.location) == ("ZRS", "oss-cn-hangzhou")
    assert (info.resource_group_id, info.owner.id) == ("rg-abc", cloud.account)
    assert oss.get_bucket_location(o.GetBucketLocationRequest(bucket=B)).location == "oss-cn-hangzhou"
    oss.put_bucket_acl(o.PutBucketAclRequest(bucket=B, acl="private"))
    assert oss.get_bucket_acl(o.GetBucketAclRequest(bucket=B)).acl == "private"
    assert oss.is_bucket_exist(B)
    oss.delete_bucket(o.DeleteBucketRequest(bucket=B))
    assert not oss.is_bucket_exist(B)
    with refused("NoSuchBucket", 404):
        oss.get_bucket_info(o.GetBucketInfoRequest(bucket=B))


def test_buckets_are_listed_page_by_page(oss: o.Client) -> None:
    for name in ("bb-1", "bb-2", "bb-3", "other"):
        oss.put_bucket(o.PutBucketRequest(bucket=name))
    pages = oss.list_buckets_paginator().iter_page(o.ListBucketsRequest(prefix="bb-", max_keys=2))
    assert [[one.name for one in page.buckets] for page in pages] == [["bb-1", "bb-2"], ["bb-3"]]


def test_a_bucket_s_name_is_taken(oss: o.Client, refused: Refused) -> None:
    oss.put_bucket(o.PutBucketRequest(bucket=B))
    oss.put_bucket(o.PutBucketRequest(bucket=B, acl="public-read"))  # its owner may say it again
    assert oss.get_bucket_acl(o.GetBucketAclRequest(bucket=B)).acl == "public-read"
    with refused("BucketAlreadyExists", 409):
        oss.put_bucket(
            o.PutBucketRequest(
                bucket=B, create_bucket_configuration=o.CreateBucketConfiguration(storage_class="IA")
            )
        )


def test_a_bucket_of_another_region_says_so(
    oss: o.Client, bucket: str, key: AccessKey, server: Listener, refused: Refused
) -> None:
    config = o.config.load_default()
    config.credentials_provider = o.credentials.StaticCredentialsProvider(key.id, key.secret)
    config.region, config.endpoint, config.use_path_style = "cn-beijing", server.url, True
    there = o.Client(config)
    with pytest.raises(o.exceptions.OperationError) as caught:
        there.get_bucket_acl(o.GetBucketAclRequest(bucket=B))
    error = caught.value.unwrap()
    assert (error.code, error.status_code) == ("AccessDenied", 403)
    assert error.error_fileds["Endpoint"] == "oss-cn-hangzhou.aliyuncs.com"
    with refused("BucketAlreadyExists", 409):
        there.put_bucket(o.PutBucketRequest(bucket=B))
    assert there.get_bucket_location(o.GetBucketLocationRequest(bucket=B)).location == "oss-cn-hangzhou"


def test_a_bucket_with_something_in_it_stays(oss: o.Client, bucket: str, refused: Refused) -> None:
    put(oss)
    with refused("BucketNotEmpty", 409):
        oss.delete_bucket(o.DeleteBucketRequest(bucket=B))
    oss.delete_object(o.DeleteObjectRequest(bucket=B, key=KEY))
    started = oss.initiate_multipart_upload(o.InitiateMultipartUploadRequest(bucket=B, key="k"))
    with refused("BucketNotEmpty", 409):
        oss.delete_bucket(o.DeleteBucketRequest(bucket=B))
    oss.abort_multipart_upload(o.AbortMultipartUploadRequest(bucket=B, key="k", upload_id=started.upload_id))
    oss.delete_bucket(o.DeleteBucketRequest(bucket=B))


def test_what_a_bucket_holds_is_counted(oss: o.Client, bucket: str) -> None:
    put(oss, "a", b"12345")
    put(oss, "b", b"123", storage_class="IA")
    stat = oss.get_bucket_stat(o.GetBucketStatRequest(bucket=B))
    assert (stat.storage, stat.object_count, stat.standard_storage) == (8, 2, 5)
    assert (stat.infrequent_access_storage, stat.infrequent_access_object_count) == (3, 1)


# --- lists


def test_lists_fold_what_lies_behind_a_delimiter(oss: o.Client, bucket: str) -> None:
    for key in ("a", "b/1", "b/2", "b/c/3", "d", "e/4"):
        put(oss, key, b"")

    def pages(**more: Any) -> Any:
        found = oss.list_objects_v2_paginator().iter_page(
            o.ListObjectsV2Request(bucket=B, delimiter="/", **more)
        )
        return [
            ([one.key for one in page.contents or []], [one.prefix for one in page.common_prefixes or []])
            for page in found
        ]

    assert pages() == [(["a", "d"], ["b/", "e/"])]
    assert pages(max_keys=1) == [(["a"], []), ([], ["b/"]), (["d"], []), ([], ["e/"])]
    assert pages(prefix="b/") == [(["b/1", "b/2"], ["b/c/"])]
    assert pages(start_after="b/2") == [(["d"], ["b/", "e/"])]
    old = oss.list_objects_paginator().iter_page(o.ListObjectsRequest(bucket=B, delimiter="/", max_keys=1))
    assert [[one.key for one in page.contents or []] for page in old] == [["a"], [], ["d"], []]


def test_versions_are_one_each(oss: o.Client, bucket: str) -> None:
    put(oss)
    (one,) = oss.list_object_versions(o.ListObjectVersionsRequest(bucket=B)).version
    assert (one.key, one.version_id, one.is_latest) == (KEY, "null", True)
    oss.delete_object(o.DeleteObjectRequest(bucket=B, key=KEY, version_id="null"))
    assert not oss.list_object_versions(o.ListObjectVersionsRequest(bucket=B)).version


# --- the rest


def test_faults_hit_operations_by_name(oss: o.Client, bucket: str, cloud: Cloud, refused: Refused) -> None:
    cloud.faults.order(Fault(action="PutObject", code="InternalError", status=500, times=1))
    with refused("InternalError", 500):
        put(oss)
    put(oss)
    cloud.faults.order(Fault(action="GetObject", cut=True, times=1))
    with pytest.raises(Exception, match=r"(?i)incomplete|broken|connection|closed"):
        get(oss).body.read()
    assert get(oss).body.read() == b"hello world"
    assert [(call.action, call.status) for call in cloud.calls][-4:] == [
        ("PutObject", 500),
        ("PutObject", 200),
        ("GetObject", 200),
        ("GetObject", 200),
    ]
    assert cloud.calls[-1].caller == "root"


def test_what_is_not_served_is_refused_by_name(oss: o.Client, bucket: str, refused: Refused) -> None:
    put(oss)
    with refused("NotImplemented", 501):
        oss.put_bucket_versioning(
            o.PutBucketVersioningRequest(
                bucket=B, versioning_configuration=o.VersioningConfiguration(status="Enabled")
            )
        )
    with refused("NotImplemented", 501):
        put(oss, traffic_limit=819200)
    with refused("NotImplemented", 501):
        oss.get_object(o.GetObjectRequest(bucket=B, key=KEY, process="image/resize,w_1"))
    with refused("NotImplemented", 501):
        oss.restore_object(o.RestoreObjectRequest(bucket=B, key=KEY))


def test_objects_survive_a_restart(oss: o.Client, bucket: str, cloud: Cloud) -> None:
    put(oss)
    (cloud.folder / "oss" / "left-over.part").write_bytes(b"x")
    again = open_cloud(cloud.folder)
    Files(again)
    names = [one.id for one in again.store.all(Bucket)]
    again.store.close()
    assert names == [B]
    assert get(oss).body.read() == b"hello world"
    assert len(stored(cloud)) == 1
