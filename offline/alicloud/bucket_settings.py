"""What a bucket is set to, one resource for each setting. Its id is the bucket's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.alicloud import schema
from offline.alicloud.api import Answer
from offline.alicloud.field import Property, is_json, one_of, same_document
from offline.alicloud.form import document, told
from offline.alicloud.lifecycle import CloudResource
from offline.alicloud.work import Creation, Deletion, Work
from offline.provider.resource import CheckFailure, Context, Field, Inputs, ResourceError, State

_BUCKET: Final = Property(replace=True)
_NO_REFERERS: Final[dict[str, Any]] = {"refererLists": [], "refererBlacklists": []}
_WHOLE_REFERERS: Final = {"allowTruncateQueryString": False, "truncatePath": False}
_ELSEWHERE: Final = "rules of routing are not served by this plugin; use the official alicloud plugin"


class BucketSetting(CloudResource):
    """A setting that is put as a whole: it is made and changed by one operation, which may be repeated."""

    product = "oss"
    id_parameter = "Bucket"
    creation = Creation(action="", id="{bucket}", token=False)
    deletion = Deletion(action="")
    unsaid = frozenset()
    operation: ClassVar[str]
    """The end of its operations' names."""
    root: ClassVar[str]
    """The root element of its document."""
    stays: ClassVar[bool] = False
    """It cannot be taken away; its resource is forgotten, and it goes with its bucket."""

    def make(self, work: Work, inputs: Inputs) -> str:
        self.put(work, inputs["bucket"], inputs)
        return str(inputs["bucket"])

    def put(self, work: Work, bucket: str, wanted: Mapping[str, Any]) -> None:
        """Set it so."""
        work(f"PutBucket{self.operation}", {"Bucket": bucket, "Body": self.body(wanted)})

    def body(self, wanted: Mapping[str, Any]) -> bytes:
        return document(self.root, self.fields, wanted)

    def describe(self, work: Work, id: str) -> Answer | None:
        return work.found(f"GetBucket{self.operation}", {"Bucket": id})

    def state_of(self, work: Work, id: str, answer: Answer) -> State:  # noqa: ARG002
        return {"bucket": id, **told(self.fields, schema.outputs_of(self.type), answer["Xml"])}

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:
        work = Work.of(ctx, self.product, self.update_seconds)
        # The whole is put: what the inputs leave to the service stays as it is.
        left = {n: state[n] for n, one in self.fields.items() if one.computed and n in state}
        self.put(work, id, {**left, **inputs})
        self.settled(work, id)
        return self._state(work, id, inputs)

    def delete(self, ctx: Context, id: str, state: State) -> None:  # noqa: ARG002
        if self.stays:
            ctx.log(f"the {self.noun} of {id} stays as it is: it goes with the bucket")
            return
        work = Work.of(ctx, self.product, self.deletion.seconds)
        work.found(f"DeleteBucket{self.operation}", {"Bucket": id})


class BucketAcl(BucketSetting):
    """alicloud:oss/bucketAcl:BucketAcl."""

    type: ClassVar[str] = "alicloud:oss/bucketAcl:BucketAcl"
    noun = "ACL"
    operation = "Acl"
    root = "AccessControlPolicy"
    stays = True
    fields: ClassVar[Mapping[str, Field]] = {
        "acl": Property(create="AccessControlList/Grant"),
        "bucket": _BUCKET,
    }

    def put(self, work: Work, bucket: str, wanted: Mapping[str, Any]) -> None:
        work("PutBucketAcl", {"Bucket": bucket, "Headers": {"x-oss-acl": wanted["acl"]}})


class BucketVersioning(BucketSetting):
    """alicloud:oss/bucketVersioning:BucketVersioning."""

    type: ClassVar[str] = "alicloud:oss/bucketVersioning:BucketVersioning"
    noun = "versioning"
    operation = "Versioning"
    root = "VersioningConfiguration"
    stays = True
    fields: ClassVar[Mapping[str, Field]] = {
        "bucket": _BUCKET,
        "status": Property(create="Status", computed=True, valid=one_of("Enabled", "Suspended")),
    }

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        if "status" in inputs:
            return []
        return [CheckFailure(property="status", reason="is required: OSS takes no versioning without one")]

    def describe(self, work: Work, id: str) -> Answer | None:
        """A bucket whose versioning was never set has none."""
        found = super().describe(work, id)
        return found if found is not None and found["Xml"].findtext("Status") else None


class BucketServerSideEncryption(BucketSetting):
    """alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption."""

    type: ClassVar[str] = "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption"
    noun = "encryption"
    operation = "Encryption"
    root = "ServerSideEncryptionRule"
    fields: ClassVar[Mapping[str, Field]] = {
        "bucket": _BUCKET,
        "kmsDataEncryption": Property(
            create="ApplyServerSideEncryptionByDefault/KMSDataEncryption", valid=one_of("SM4")
        ),
        "kmsMasterKeyId": Property(create="ApplyServerSideEncryptionByDefault/KMSMasterKeyID"),
        "sseAlgorithm": Property(
            create="ApplyServerSideEncryptionByDefault/SSEAlgorithm", valid=one_of("KMS", "AES256", "SM4")
        ),
    }

    def body(self, wanted: Mapping[str, Any]) -> bytes:
        return super().body({name: value for name, value in wanted.items() if value != ""})


def cors_rule(*, unordered: bool) -> Mapping[str, Field]:
    """A rule of CORS; the bucket's own keep the order of what they list."""
    return {
        "allowedHeaders": Property(create="AllowedHeader", unordered=unordered),
        "allowedMethods": Property(create="AllowedMethod", unordered=unordered),
        "allowedOrigins": Property(create="AllowedOrigin", unordered=unordered),
        "exposeHeaders": Property(create="ExposeHeader", unordered=unordered),
        "maxAgeSeconds": Property(create="MaxAgeSeconds"),
    }


class BucketCors(BucketSetting):
    """alicloud:oss/bucketCors:BucketCors."""

    type: ClassVar[str] = "alicloud:oss/bucketCors:BucketCors"
    noun = "CORS"
    operation = "Cors"
    root = "CORSConfiguration"
    fields: ClassVar[Mapping[str, Field]] = {
        "bucket": _BUCKET,
        "corsRules": Property(create="CORSRule", unordered=True, nested=cors_rule(unordered=True)),
        "responseVary": Property(create="ResponseVary", computed=True),
    }


class BucketHttpsConfig(BucketSetting):
    """alicloud:oss/bucketHttpsConfig:BucketHttpsConfig."""

    type: ClassVar[str] = "alicloud:oss/bucketHttpsConfig:BucketHttpsConfig"
    noun = "TLS"
    operation = "HttpsConfig"
    root = "HttpsConfiguration"
    stays = True
    fields: ClassVar[Mapping[str, Field]] = {
        "bucket": _BUCKET,
        "cipherSuit": Property(
            create="CipherSuite",
            computed=True,
            nested={
                "customCipherSuites": Property(create="CustomCipherSuite", unordered=True),
                "enable": Property(create="Enable", computed=True),
                "strongCipherSuite": Property(create="StrongCipherSuite"),
                "tls13CustomCipherSuites": Property(create="TLS13CustomCipherSuite", unordered=True),
            },
        ),
        "enable": Property(create="TLS/Enable"),
        "tlsVersions": Property(create="TLS/TLSVersion", unordered=True),
    }


class BucketPolicy(BucketSetting):
    """alicloud:oss/bucketPolicy:BucketPolicy."""

    type: ClassVar[str] = "alicloud:oss/bucketPolicy:BucketPolicy"
    noun = "policy"
    operation = "Policy"
    fields: ClassVar[Mapping[str, Field]] = {
        "bucket": _BUCKET,
        "policy": Property(valid=is_json, same=same_document),
    }

    def body(self, wanted: Mapping[str, Any]) -> bytes:
        return str(wanted["policy"]).encode()

    def state_of(self, work: Work, id: str, answer: Answer) -> State:  # noqa: ARG002
        kept = json.loads(answer["Body"])
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return {"bucket": id, "policy": text}


class BucketPublicAccessBlock(BucketSetting):
    """alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock. Without one, it is false."""

    type: ClassVar[str] = "alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock"
    noun = "block of public access"
    operation = "PublicAccessBlock"
    root = "PublicAccessBlockConfiguration"
    fields: ClassVar[Mapping[str, Field]] = {
        "blockPublicAccess": Property(create="BlockPublicAccess"),
        "bucket": _BUCKET,
    }


class BucketLogging(BucketSetting):
    """alicloud:oss/bucketLogging:BucketLogging."""

    type: ClassVar[str] = "alicloud:oss/bucketLogging:BucketLogging"
    noun = "logging"
    operation = "Logging"
    root = "BucketLoggingStatus"
    fields: ClassVar[Mapping[str, Field]] = {
        "bucket": _BUCKET,
        "loggingRole": Property(create="LoggingEnabled/LoggingRole"),
        "targetBucket": Property(create="LoggingEnabled/TargetBucket"),
        "targetPrefix": Property(create="LoggingEnabled/TargetPrefix"),
    }

    def describe(self, work: Work, id: str) -> Answer | None:
        """The answer is there without logging, too, and empty then."""
        found = super().describe(work, id)
        return found if found is not None and found["Xml"].find("LoggingEnabled") is not None else None


class BucketReferer(BucketSetting):
    """alicloud:oss/bucketReferer:BucketReferer. There is always one: to remove it is to empty its lists."""

    type: ClassVar[str] = "alicloud:oss/bucketReferer:BucketReferer"
    noun = "protection against hotlinks"
    operation = "Referer"
    root = "RefererConfiguration"
    fields: ClassVar[Mapping[str, Field]] = {
        "allowEmptyReferer": Property(create="AllowEmptyReferer"),
        "allowTruncateQueryString": Property(create="AllowTruncateQueryString", computed=True),
        "bucket": _BUCKET,
        "refererBlacklists": Property(create="RefererBlacklist/Referer", unordered=True),
        "refererLists": Property(create="RefererList/Referer", unordered=True),
        "truncatePath": Property(create="TruncatePath"),
    }

    def body(self, wanted: Mapping[str, Any]) -> bytes:
        return super().body(
            {**_NO_REFERERS, "allowTruncateQueryString": False, "truncatePath": False, **wanted}
        )

    def delete(self, ctx: Context, id: str, state: State) -> None:
        work = Work.of(ctx, self.product, self.deletion.seconds)
        if self.describe(work, id) is not None:
            self.put(work, id, {**state, **_NO_REFERERS})


class BucketWebsite(BucketSetting):
    """alicloud:oss/bucketWebsite:BucketWebsite."""

    type: ClassVar[str] = "alicloud:oss/bucketWebsite:BucketWebsite"
    noun = "website"
    operation = "Website"
    root = "WebsiteConfiguration"
    fields: ClassVar[Mapping[str, Field]] = {
        "bucket": _BUCKET,
        "errorDocument": Property(
            create="ErrorDocument",
            nested={"httpStatus": Property(create="HttpStatus"), "key": Property(create="Key")},
        ),
        "indexDocument": Property(
            create="IndexDocument",
            nested={
                "suffix": Property(create="Suffix"),
                "supportSubDir": Property(create="SupportSubDir"),
                "type": Property(create="Type"),
            },
        ),
        "routingRules": Property(refused=_ELSEWHERE),
    }

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        if len(answer["Xml"].findall("RoutingRules/RoutingRule")):
            raise ResourceError(
                f"the website of {id} has routingRules", fix=_ELSEWHERE
            )  # a put would drop them
        return super().state_of(work, id, answer)
