"""Operations on a bucket's settings: put, get and delete of each."""

from __future__ import annotations

from emulator.services.oss import buckets, errors, grammar, settings
from emulator.services.oss.call import OssCall, Reply, Run, answered, operation
from emulator.services.oss.model import Bucket
from emulator.services.oss.xml import parse


def _put(name: str) -> Run:
    async def put(call: OssCall) -> Reply:
        body = await call.body()
        bucket = buckets.find(call)
        if name == "logging":
            _check_target(call, body)
        buckets.set_(call.cloud, bucket, name, settings.checked(name, body))
        return Reply()

    return put


def _check_target(call: OssCall, body: bytes) -> None:
    """Logs go to a bucket of the same account, which there is."""
    root = parse(body)
    grammar.check("logging", root)
    enabled = root.find("LoggingEnabled")
    target = enabled.get("TargetBucket") if enabled else ""
    if target and call.cloud.store.get(Bucket, target) is None:
        raise errors.OssError(
            400, "InvalidTargetBucketForLogging", "The target bucket for logging does not exist.",
            TargetBucket=target,
        )  # fmt: skip


def _get(name: str) -> Run:
    async def get(call: OssCall) -> Reply:
        bucket = buckets.find(call)
        return Reply(200, {"content-type": "application/xml"}, settings.shown(name, bucket.settings))

    return get


def _delete(name: str) -> Run:
    async def delete(call: OssCall) -> Reply:
        buckets.set_(call.cloud, buckets.find(call), name, None)
        return Reply(204)

    return delete


for _name, _setting in settings.SETTINGS.items():
    # Of an old name with two spellings: this header allows rules of a lifecycle that overlap.
    _more = "x-oss-allow-same-action-overlap" if _name == "lifecycle" else ""
    operation(f"PutBucket{_setting.operation}", "PUT", "bucket", _name, headers=_more)(_put(_name))
    operation(f"GetBucket{_setting.operation}", "GET", "bucket", _name)(_get(_name))
    if _setting.deleted:
        operation(f"DeleteBucket{_setting.operation}", "DELETE", "bucket", _name)(_delete(_name))


@operation("PutBucketPolicy", "PUT", "bucket", "policy")
async def put_bucket_policy(call: OssCall) -> Reply:
    body = await call.body()
    bucket = buckets.find(call)
    text = settings.checked_policy(body, bucket.id, call.cloud.account)
    buckets.set_(call.cloud, bucket, "policy", text)
    return Reply()


@operation("GetBucketPolicy", "GET", "bucket", "policy")
async def get_bucket_policy(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    if "policy" not in bucket.settings:
        raise errors.OssError(
            404, "NoSuchBucketPolicy", "The bucket policy does not exist.", BucketName=bucket.id
        )
    return Reply(200, {"content-type": "application/json"}, bucket.settings["policy"].encode())


operation("DeleteBucketPolicy", "DELETE", "bucket", "policy")(_delete("policy"))


@operation("PutBucketResourceGroup", "PUT", "bucket", "resourceGroup")
async def put_bucket_resource_group(call: OssCall) -> Reply:
    root = parse(await call.body())
    bucket = buckets.find(call)
    grammar.check("resourceGroup", root)
    call.cloud.store.put(bucket.but(resource_group=root.get("ResourceGroupId")))
    return Reply()


@operation("GetBucketResourceGroup", "GET", "bucket", "resourceGroup")
async def get_bucket_resource_group(call: OssCall) -> Reply:
    bucket = buckets.find(call)
    return answered("BucketResourceGroupConfiguration", {"ResourceGroupId": bucket.resource_group})


@operation("GetBucketVersioning", "GET", "bucket", "versioning")
async def get_bucket_versioning(call: OssCall) -> Reply:
    """Never on: putting it is refused by name."""
    buckets.find(call)
    return answered("VersioningConfiguration", {})


@operation("GetBucketWorm", "GET", "bucket", "worm")
async def get_bucket_worm(call: OssCall) -> Reply:
    """Never on, either."""
    buckets.find(call)
    raise errors.OssError(404, "NoSuchWORMConfiguration", "The WORM Configuration does not exist.")
