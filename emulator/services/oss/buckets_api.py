"""Operations on buckets themselves."""

from __future__ import annotations

from typing import Any

from emulator.regions import REGIONS
from emulator.services.oss import buckets, errors, grammar, settings
from emulator.services.oss.call import OssCall, Reply, answered, operation
from emulator.services.oss.model import Bucket, xml_time
from emulator.services.oss.objects import ENCRYPTION
from emulator.services.oss.xml import Node, document, parse


@operation("ListBuckets", "GET", "service", query="prefix marker max-keys tag-key tag-value",
           headers="x-oss-resource-group-id")  # fmt: skip
async def list_buckets(call: OssCall) -> Reply:
    """All of the account's, wherever they are."""
    prefix, marker = call.query.get("prefix", ""), call.query.get("marker", "")
    most = call.number("max-keys", 100, 1, 1000)
    group = call.headers.get("x-oss-resource-group-id", "")
    found = [
        one
        for one in sorted(call.cloud.store.all(Bucket), key=lambda one: one.id)
        if one.id.startswith(prefix) and one.id > marker and group in ("", one.resource_group)
    ]
    if key := call.query.get("tag-key"):
        value = call.query.get("tag-value", "")
        found = [one for one in found if _tagged(one, key, value)]
    part, more = found[:most], len(found) > most
    content: dict[str, Any] = {}
    if prefix or marker or "max-keys" in call.query:
        content = {"Prefix": prefix, "Marker": marker, "MaxKeys": most, "IsTruncated": more}
        content |= {"NextMarker": part[-1].id if more else None}
    rows = [
        {
            "Name": one.id,
            "CreationDate": xml_time(one.created),
            "Location": f"oss-{one.region}",
            "Region": one.region,
            "StorageClass": one.storage_class,
            "ExtranetEndpoint": f"oss-{one.region}.aliyuncs.com",
            "IntranetEndpoint": f"oss-{one.region}-internal.aliyuncs.com",
            "ResourceGroupId": one.resource_group,
        }
        for one in part
    ]
    return answered("ListAllMyBucketsResult", content | {"Owner": _owner(call), "Buckets": {"Bucket": rows}})


def _tagged(bucket: Bucket, key: str, value: str) -> bool:
    root = parse(settings.shown("tagging", bucket.settings))
    return any(tag.get("Key") == key and value in ("", tag.get("Value")) for tag in root.below[0].all("Tag"))


@operation("PutBucket", "PUT", "bucket", headers=f"x-oss-acl x-oss-resource-group-id {' '.join(ENCRYPTION)}")
async def put_bucket(call: OssCall) -> Reply:
    if call.region not in REGIONS:
        raise errors.OssError(
            400, "InvalidLocationConstraint", "The specified location-constraint is not valid."
        )
    body = await call.body()
    root = parse(body) if body.strip() else Node("CreateBucketConfiguration")
    grammar.check("create", root)
    if root.get("LocationConstraint", f"oss-{call.region}") != f"oss-{call.region}":
        raise errors.OssError(
            400, "InvalidLocationConstraint", "The specified location-constraint is not valid."
        )
    acl = call.one_of("x-oss-acl", buckets.ACLS, "private") if "x-oss-acl" in call.headers else None
    encryption = settings.encryption_of(call.headers)
    bucket = buckets.create(
        call,
        acl=acl,
        storage_class=root.get("StorageClass", "Standard"),
        redundancy=root.get("DataRedundancyType", "LRS"),
        resource_group=call.headers.get("x-oss-resource-group-id") or "rg-default",
    )
    if encryption:
        buckets.set_(call.cloud, bucket, "encryption", encryption)
    return Reply(headers={"location": f"/{call.bucket}"})


@operation("DeleteBucket", "DELETE", "bucket")
async def delete_bucket(call: OssCall) -> Reply:
    buckets.delete(call.cloud, buckets.find(call))
    return Reply(204)


@operation("HeadBucket", "HEAD", "bucket", public="read")
async def head_bucket(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    return Reply(headers={"x-oss-bucket-region": bucket.region})


@operation("GetBucketInfo", "GET", "bucket", "bucketInfo")
async def get_bucket_info(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    headers = settings.encryption(bucket.settings)
    rule = {
        "SSEAlgorithm": headers.get("x-oss-server-side-encryption", "None"),
        "KMSMasterKeyID": headers.get("x-oss-server-side-encryption-key-id"),
        "KMSDataEncryption": headers.get("x-oss-server-side-data-encryption"),
    }
    logs = parse(settings.shown("logging", bucket.settings)).find("LoggingEnabled")
    monitor = parse(settings.shown("accessmonitor", bucket.settings)).get("Status")
    accelerated = parse(bucket.settings["transferAcceleration"].encode()).get("Enabled") if (
        "transferAcceleration" in bucket.settings
    ) else "false"  # fmt: skip
    return answered(
        "BucketInfo",
        {
            "Bucket": {
                "Name": bucket.id,
                "Location": f"oss-{bucket.region}",
                "CreationDate": xml_time(bucket.created),
                "ExtranetEndpoint": f"oss-{bucket.region}.aliyuncs.com",
                "IntranetEndpoint": f"oss-{bucket.region}-internal.aliyuncs.com",
                "Owner": _owner(call),
                "AccessControlList": {"Grant": bucket.acl},
                "StorageClass": bucket.storage_class,
                "DataRedundancyType": bucket.redundancy,
                "AccessMonitor": monitor,
                "TransferAcceleration": "Enabled" if accelerated == "true" else "Disabled",
                "CrossRegionReplication": "Disabled",
                "ResourceGroupId": bucket.resource_group,
                "BlockPublicAccess": settings.public_access_blocked(bucket.settings),
                "ServerSideEncryptionRule": rule,
                "BucketPolicy": {
                    "LogBucket": logs.get("TargetBucket") if logs else "",
                    "LogPrefix": logs.get("TargetPrefix") if logs else "",
                },
                "Comment": "",
            }
        },
    )


@operation("GetBucketLocation", "GET", "bucket", "location")
async def get_bucket_location(call: OssCall) -> Reply:
    bucket = buckets.find(call, anywhere=True)
    body = document("LocationConstraint", f"oss-{bucket.region}")
    return Reply(200, {"content-type": "application/xml"}, body)


@operation("GetBucketStat", "GET", "bucket", "stat")
async def get_bucket_stat(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    found = buckets.objects(call.cloud, bucket.id)
    uploads = buckets.uploads(call.cloud, bucket.id)
    size = sum(one.size for one in found)
    parts = sum(part.size for one in uploads for part in one.parts.values())
    content: dict[str, Any] = {
        "Storage": size + parts,
        "ObjectCount": len(found),
        "MultipartUploadCount": len(uploads),
        "MultipartPartCount": sum(len(one.parts) for one in uploads),
        "LiveChannelCount": 0,
        "LastModifiedTime": int(call.now.timestamp()),
        "DeleteMarkerCount": 0,
    }
    for kind, name in (("Standard", "Standard"), ("IA", "InfrequentAccess"), ("Archive", "Archive"),
                       ("ColdArchive", "ColdArchive"), ("DeepColdArchive", "DeepColdArchive")):  # fmt: skip
        sizes = [one.size for one in found if one.storage_class == kind]
        content[f"{name}Storage"] = sum(sizes) + (parts if kind == bucket.storage_class else 0)
        if kind != "Standard":
            content[f"{name}RealStorage"] = content[f"{name}Storage"]
        content[f"{name}ObjectCount"] = len(sizes)
    return answered("BucketStat", content)


@operation("PutBucketAcl", "PUT", "bucket", "acl", headers="x-oss-acl")
async def put_bucket_acl(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    if "x-oss-acl" not in call.headers:
        raise errors.argument("x-oss-acl", "")
    acl = call.one_of("x-oss-acl", buckets.ACLS, "")
    if acl != "private" and settings.public_access_blocked(bucket.settings):
        raise errors.denied("Put public bucket acl is not allowed.")
    call.cloud.store.put(bucket.but(acl=acl))
    return Reply()


@operation("GetBucketAcl", "GET", "bucket", "acl")
async def get_bucket_acl(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    return answered(
        "AccessControlPolicy", {"Owner": _owner(call), "AccessControlList": {"Grant": bucket.acl}}
    )


def _owner(call: OssCall) -> dict[str, str]:
    return {"ID": call.cloud.account, "DisplayName": call.cloud.account}
