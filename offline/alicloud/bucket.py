"""A bucket, and what can be set of it in the same breath."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from offline.alicloud import bucket_lifecycle, schema
from offline.alicloud.api import Answer, Refused
from offline.alicloud.bucket_empty import emptied
from offline.alicloud.bucket_lifecycle import CLASSES, RULE
from offline.alicloud.bucket_settings import cors_rule
from offline.alicloud.field import Property, failures, is_json, length, one_of, same_document
from offline.alicloud.form import document, told
from offline.alicloud.lifecycle import CloudResource
from offline.alicloud.oss import text_of
from offline.alicloud.work import Creation, Deletion, Work
from offline.provider.resource import CheckFailure, Context, Field, Inputs, ResourceError, State

ACLS: Final = ("private", "public-read", "public-read-write")
_PREFIX: Final = "tf-oss-bucket-"  # of the names that the official provider makes up


@dataclass(frozen=True)
class Part:
    """A setting of the bucket's own. `root`: of its document; empty for a text."""

    operation: str
    root: str


PARTS: Final[dict[str, Part]] = {
    "corsRules": Part("Cors", "CORSConfiguration"),
    "website": Part("Website", "WebsiteConfiguration"),
    "logging": Part("Logging", "BucketLoggingStatus"),
    "refererConfig": Part("Referer", "RefererConfiguration"),
    "accessMonitor": Part("AccessMonitor", "AccessMonitorConfiguration"),
    "lifecycleRules": Part("Lifecycle", "LifecycleConfiguration"),
    "policy": Part("Policy", ""),
    "serverSideEncryptionRule": Part("Encryption", "ServerSideEncryptionRule"),
    "tags": Part("Tags", "Tagging"),
    "versioning": Part("Versioning", "VersioningConfiguration"),
    "transferAcceleration": Part("TransferAcceleration", "TransferAccelerationConfiguration"),
}
"""In the order in which they are put: rules of the lifecycle may need the access monitor."""


class Bucket(CloudResource):
    """alicloud:oss/bucket:Bucket. Its id is its name."""

    type: ClassVar[str] = "alicloud:oss/bucket:Bucket"
    product = "oss"
    noun = "bucket"
    id_parameter = "Bucket"
    fields: ClassVar[Mapping[str, Field]] = {
        "accessMonitor": Property(
            create=".",
            computed=True,
            nested={"status": Property(create="Status", computed=True, valid=one_of("Enabled", "Disabled"))},
        ),
        "acl": Property(computed=True, valid=one_of(*ACLS), deprecated=True),
        "bucket": Property(computed=True, replace=True, valid=length(3, 63)),
        "corsRules": Property(create="CORSRule", nested=cors_rule(unordered=False)),
        "forceDestroy": Property(default=False),
        "lifecycleRuleAllowSameActionOverlap": Property(default=False),
        "lifecycleRules": Property(create="Rule", nested=RULE),
        "logging": Property(
            create="LoggingEnabled",
            nested={
                "targetBucket": Property(create="TargetBucket"),
                "targetPrefix": Property(create="TargetPrefix"),
            },
        ),
        "loggingIsenable": Property(
            refused="deprecated since 1.37 of the official provider: there are logs where logging is given",
            deprecated=True,
        ),
        "policy": Property(valid=is_json, same=same_document),
        "redundancyType": Property(default="LRS", replace=True, valid=one_of("LRS", "ZRS")),
        "refererConfig": Property(
            create=".",
            nested={
                "allowEmpty": Property(create="AllowEmptyReferer", computed=True),
                "referers": Property(create="RefererList/Referer"),
            },
        ),
        "resourceGroupId": Property(computed=True),
        "serverSideEncryptionRule": Property(
            create="ApplyServerSideEncryptionByDefault",
            nested={
                "kmsDataEncryption": Property(create="KMSDataEncryption", valid=one_of("SM4", "")),
                "kmsMasterKeyId": Property(create="KMSMasterKeyID"),
                "sseAlgorithm": Property(create="SSEAlgorithm", valid=one_of("AES256", "KMS", "SM4")),
            },
        ),
        "storageClass": Property(default="Standard", replace=True, valid=one_of(*CLASSES)),
        "tags": Property(create="TagSet/Tag"),
        # Neither can be taken away, only changed.
        "transferAcceleration": Property(
            create=".", computed=True, nested={"enabled": Property(create="Enabled")}
        ),
        "versioning": Property(
            create=".",
            computed=True,
            nested={"status": Property(create="Status", valid=one_of("Enabled", "Suspended"))},
        ),
        "website": Property(
            create=".",
            nested={
                "errorDocument": Property(create="ErrorDocument/Key"),
                "indexDocument": Property(create="IndexDocument/Suffix"),
            },
        ),
    }
    creation = Creation(action="PutBucket", id="", token=False)
    deletion = Deletion(action="DeleteBucket")
    unsaid = frozenset(("forceDestroy", "lifecycleRuleAllowSameActionOverlap"))
    late = frozenset(PARTS) - {"serverSideEncryptionRule"}

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        found = list(bucket_lifecycle.wrong(inputs.get("lifecycleRules")))
        for name, field in self.fields.items():
            nested = field.nested or {}
            for path, value in _objects(name, inputs.get(name)):
                found += [
                    CheckFailure(property=f"{path}.{one.property}", reason=one.reason)
                    for one in failures(nested, value)
                ]
        if len(inputs["corsRules"] if isinstance(inputs.get("corsRules"), list) else ()) > 10:
            found.append(CheckFailure(property="corsRules", reason="there can be at most 10"))
        return found

    def make(self, work: Work, inputs: Inputs) -> str:
        name = str(inputs.get("bucket") or _made_up())
        # To create one's own once more is no error for OSS: it would be taken over.
        if work.found("GetBucketInfo", {"Bucket": name}) is not None:
            raise ResourceError(
                f"there is a bucket '{name}' already", fix="import it, or choose another name"
            )
        rule = inputs.get("serverSideEncryptionRule") or {}
        headers = {
            "x-oss-acl": inputs.get("acl"),
            "x-oss-resource-group-id": inputs.get("resourceGroupId"),
            "x-oss-server-side-encryption": rule.get("sseAlgorithm"),
            "x-oss-server-side-encryption-key-id": rule.get("kmsMasterKeyId"),
            "x-oss-server-side-data-encryption": rule.get("kmsDataEncryption"),
        }
        body = document(
            "CreateBucketConfiguration",
            {"class": Property(create="StorageClass"), "kind": Property(create="DataRedundancyType")},
            {"class": inputs["storageClass"], "kind": inputs["redundancyType"]},
        )
        asked = {
            "Bucket": name,
            "Headers": {header: text for header, text in headers.items() if text},
            "Body": body,
        }
        work("PutBucket", asked)
        return name

    def describe(self, work: Work, id: str) -> Answer | None:
        info = work.found("GetBucketInfo", {"Bucket": id})
        if info is None:
            return None
        known: Answer = {"Info": info}
        for part in PARTS.values():
            known[part.operation] = _setting(work, part.operation, id)
        known["ResourceGroup"] = work.found("GetBucketResourceGroup", {"Bucket": id})
        return known

    def state_of(self, work: Work, id: str, answer: Answer) -> State:  # noqa: ARG002
        info = answer["Info"]
        shapes = schema.outputs_of(self.type)
        state: State = {
            "bucket": id,
            "acl": text_of(info, "Bucket/AccessControlList/Grant"),
            "creationDate": text_of(info, "Bucket/CreationDate")[:10],
            "extranetEndpoint": text_of(info, "Bucket/ExtranetEndpoint"),
            "intranetEndpoint": text_of(info, "Bucket/IntranetEndpoint"),
            "location": text_of(info, "Bucket/Location"),
            "owner": text_of(info, "Bucket/Owner/ID"),
            "storageClass": text_of(info, "Bucket/StorageClass"),
            "redundancyType": text_of(info, "Bucket/DataRedundancyType") or "LRS",
            "resourceGroupId": text_of(answer["ResourceGroup"], "ResourceGroupId") or None,
        }
        for name, part in PARTS.items():
            found = answer[part.operation]
            if found is None:
                continue
            if part.root:
                state.update(told({name: self.fields[name]}, shapes, found["Xml"]))
            else:
                state[name] = found["Body"].decode()
        if not (state.get("refererConfig") or {}).get("referers"):
            state.pop("refererConfig", None)  # without referers it refuses nobody
        return state

    def after(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:
        if "acl" in changed:
            work("PutBucketAcl", {"Bucket": id, "Headers": {"x-oss-acl": inputs["acl"]}})
        if "lifecycleRuleAllowSameActionOverlap" in changed and inputs.get("lifecycleRules"):
            changed = changed | {"lifecycleRules"}
        order = list(PARTS)
        if (inputs.get("accessMonitor") or {}).get("status") == "Disabled":
            order.remove("accessMonitor")
            order.append("accessMonitor")  # once no rule needs it any more
        for name in order:
            if name in changed:
                self._put(work, id, name, old, inputs)
        if "resourceGroupId" in changed:
            group = {"id": Property(create="ResourceGroupId")}
            body = document("BucketResourceGroupConfiguration", group, {"id": inputs["resourceGroupId"]})
            work("PutBucketResourceGroup", {"Bucket": id, "Body": body})

    def _put(self, work: Work, id: str, name: str, old: State, inputs: Inputs) -> None:
        part = PARTS[name]
        value: Any = inputs.get(name)
        asked: dict[str, Any] = {"Bucket": id}
        if name == "refererConfig":
            value = {"allowEmpty": not value, "referers": [], **(value or {})}
        elif not value:
            work.found(f"DeleteBucket{part.operation}", asked)
            return
        if name == "lifecycleRules":
            value = bucket_lifecycle.completed(value, old.get(name))
            if inputs.get("lifecycleRuleAllowSameActionOverlap"):
                asked["Headers"] = {"x-oss-allow-same-action-overlap": "true"}
        if part.root:
            asked["Body"] = document(part.root, {name: self.fields[name]}, {name: value})
        else:
            asked["Body"] = str(value).encode()
        work(f"PutBucket{part.operation}", asked)

    def delete(self, ctx: Context, id: str, state: State) -> None:
        work = Work.of(ctx, self.product, self.deletion.seconds)

        def gone() -> bool | None:
            try:
                work.found("DeleteBucket", {"Bucket": id})
            except Refused as refused:
                if refused.code != "BucketNotEmpty" or not state.get("forceDestroy"):
                    raise
                emptied(work, id)
                return None
            return True

        work.patience.until(gone, f"bucket {id} to be empty")


def _setting(work: Work, operation: str, bucket: str) -> Answer | None:
    """None where there is none, or where the region has no such thing."""
    try:
        return work.found(f"GetBucket{operation}", {"Bucket": bucket})
    except Refused as refused:
        if refused.code in ("TransferAccelerationDisabled", "NotImplemented"):
            return None
        raise


def _made_up() -> str:
    now = datetime.now(UTC)
    return f"{_PREFIX}{now:%Y%m%d%H%M%S}{now.microsecond // 100:04}{secrets.token_hex(4)}"


def _objects(path: str, value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects in a property's value, by path."""
    if isinstance(value, Mapping):
        return [(path, value)]
    if isinstance(value, list):
        return [(f"{path}[{i}]", one) for i, one in enumerate(value) if isinstance(one, Mapping)]
    return []
