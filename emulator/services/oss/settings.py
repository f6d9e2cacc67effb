"""Rules of a bucket's settings: what they may be, what they are when unset, what they fill in.

They are kept and answered. Of them, the ACL, the block of public access and the encryption's headers have an
effect; lifecycle, CORS, website, referers, policy, logs, acceleration and who pays have none.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from emulator.services.oss import errors, grammar
from emulator.services.oss.errors import OssError
from emulator.services.oss.xml import Node, document, parse, written


@dataclass(frozen=True)
class Setting:
    """A sub-resource of a bucket. `unset`: the answer where it was never set: a document, or an error."""

    operation: str
    """The end of its operations' names: PutBucket..., GetBucket..., DeleteBucket...."""
    unset: dict[str, Any] | tuple[str, str]
    deleted: bool = True
    """Whether it can be deleted."""
    fill: Callable[[Node], None] | None = None
    """What is added to a document that leaves it out."""


def _missing(node: Node, name: str, text: str) -> None:
    if node.find(name) is None:
        node.below.append(Node(name, text))


_ACTIONS: Final = {
    "Expiration", "Transition", "AbortMultipartUpload", "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
}  # fmt: skip


def _lifecycle(root: Node) -> None:
    rules = root.all("Rule")
    ids = [rule.get("ID") for rule in rules if rule.get("ID")]
    if len(rules) > 1000:
        raise errors.malformed_xml("It has more than 1000 rules.")
    if len(set(ids)) != len(ids):
        raise OssError(
            400, "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule."
        )
    for rule in rules:
        names = {one.name for one in rule.below}
        if not names & _ACTIONS:
            raise errors.malformed_xml("A rule has no action.")
        if not rule.get("ID"):
            rule.below = [Node("ID", str(uuid.uuid4())), *(one for one in rule.below if one.name != "ID")]


def _cors(root: Node) -> None:
    if len(root.all("CORSRule")) > 20:
        raise errors.malformed_xml("It has more than 20 rules.")
    _missing(root, "ResponseVary", "false")


def _referer(root: Node) -> None:
    _missing(root, "AllowTruncateQueryString", "true")
    _missing(root, "TruncatePath", "false")
    _missing(root, "RefererList", "")


def _tagging(root: Node) -> None:
    tags = root.below[0].all("Tag")
    if len(tags) > 20:
        raise OssError(400, "InvalidTag", "The tag number exceeds the maximum limit: 20.")
    keys = [tag.get("Key") for tag in tags]
    if len(set(keys)) != len(keys):
        raise OssError(400, "InvalidTag", "Cannot provide multiple Tags with the same key.")


def _website(root: Node) -> None:
    if not root.below:
        raise errors.malformed_xml("It has neither IndexDocument nor ErrorDocument.")


def _encryption(root: Node) -> None:
    rule = root.below[0]
    if rule.get("SSEAlgorithm") != "KMS" and (rule.get("KMSMasterKeyID") or rule.get("KMSDataEncryption")):
        raise errors.argument(
            "SSEAlgorithm", rule.get("SSEAlgorithm"), "A KMS key goes with the algorithm KMS."
        )


SETTINGS: Final[dict[str, Setting]] = {
    "lifecycle": Setting(
        "Lifecycle", ("NoSuchLifecycle", "No Row found in Lifecycle Table."), fill=_lifecycle
    ),
    "cors": Setting(
        "Cors", ("NoSuchCORSConfiguration", "The CORS Configuration does not exist."), fill=_cors
    ),
    "website": Setting(
        "Website",
        ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration."),
        fill=_website,
    ),
    "logging": Setting("Logging", {}),
    "referer": Setting(
        "Referer",
        {
            "AllowEmptyReferer": True,
            "AllowTruncateQueryString": True,
            "TruncatePath": False,
            "RefererList": "",
        },
        deleted=False,
        fill=_referer,
    ),
    "tagging": Setting("Tags", {"TagSet": ""}, fill=_tagging),
    "encryption": Setting(
        "Encryption",
        ("NoSuchServerSideEncryptionRule", "The server side encryption rule does not exist."),
        fill=_encryption,
    ),
    "transferAcceleration": Setting(
        "TransferAcceleration",
        (
            "NoSuchTransferAccelerationConfiguration",
            "The bucket you specified does not have transfer acceleration configuration.",
        ),
        deleted=False,
    ),
    "accessmonitor": Setting("AccessMonitor", {"Status": "Disabled"}, deleted=False),
    "publicAccessBlock": Setting("PublicAccessBlock", {"BlockPublicAccess": False}),
    "requestPayment": Setting("RequestPayment", {"Payer": "BucketOwner"}, deleted=False),
    "httpsConfig": Setting(
        "HttpsConfig", ("NoSuchHttpsConfig", "The https config does not exist."), deleted=False
    ),
    "bucketArchiveDirectRead": Setting("ArchiveDirectRead", {"Enabled": False}, deleted=False),
    "userDefinedLogFieldsConfig": Setting(
        "UserDefinedLogFieldsConfig",
        ("NoSuchUserDefinedLogFieldsConfig", "The user defined log fields config does not exist."),
    ),
}


def checked(name: str, body: bytes) -> str:
    """The document as it will be answered. Raises OssError."""
    root = parse(body)
    grammar.check(name, root)
    if (fill := SETTINGS[name].fill) is not None:
        fill(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + written(root)


def shown(name: str, kept: dict[str, str]) -> bytes:
    """The setting, as it was set or as it is without. Raises OssError."""
    if name in kept:
        return kept[name].encode()
    unset = SETTINGS[name].unset
    if isinstance(unset, tuple):
        raise OssError(404, *unset)
    return document(grammar.FORMS[name][0], unset)


def public_access_blocked(kept: dict[str, str]) -> bool:
    text = kept.get("publicAccessBlock", "")
    return bool(text) and parse(text.encode()).get("BlockPublicAccess") == "true"


def encryption(kept: dict[str, str]) -> dict[str, str]:
    """The headers of objects that say nothing of their own encryption."""
    if "encryption" not in kept:
        return {}
    rule = parse(kept["encryption"].encode()).below[0]
    headers = {
        "x-oss-server-side-encryption": rule.get("SSEAlgorithm"),
        "x-oss-server-side-encryption-key-id": rule.get("KMSMasterKeyID"),
        "x-oss-server-side-data-encryption": rule.get("KMSDataEncryption"),
    }
    return {name: text for name, text in headers.items() if text}


def encryption_of(headers: Mapping[str, str]) -> str:
    """The setting that the headers of a new bucket ask for; empty without."""
    if not headers.get("x-oss-server-side-encryption"):
        return ""
    rule = {
        "SSEAlgorithm": headers["x-oss-server-side-encryption"],
        "KMSMasterKeyID": headers.get("x-oss-server-side-encryption-key-id"),
        "KMSDataEncryption": headers.get("x-oss-server-side-data-encryption"),
    }
    content = {"ApplyServerSideEncryptionByDefault": rule}
    return checked("encryption", document("ServerSideEncryptionRule", content))


def checked_policy(body: bytes, bucket: str, account: str) -> str:
    """A bucket's policy, as it was given. Raises OssError."""
    try:
        policy = json.loads(body)
    except ValueError:
        raise _policy("it is no JSON") from None
    if not isinstance(policy, dict) or policy.get("Version") != "1" or set(policy) - {"Version", "Statement"}:
        raise _policy("it is an object of Version, which is 1, and Statement")
    statements = policy.get("Statement")
    if not isinstance(statements, list) or not statements:
        raise _policy("it has no Statement")
    for statement in statements:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _policy("the Effect of a statement is Allow or Deny")
        known = {
            "Effect",
            "Action",
            "Resource",
            "Condition",
            "Principal",
            "NotPrincipal",
            "Sid",
            "NotResource",
        }
        if unlike := sorted(set(statement) - known):
            raise _policy(f"a statement has {unlike[0]}")
        if "Action" not in statement or not {"Principal", "NotPrincipal"} & set(statement):
            raise _policy("a statement has an Action and a Principal")
        resources = statement.get("Resource", statement.get("NotResource"))
        for one in resources if isinstance(resources, list) else [resources]:
            if not isinstance(one, str) or not _covers(one, bucket, account):
                raise _policy(f"a Resource is not of this bucket: {one}")
    return body.decode()


def _covers(resource: str, bucket: str, account: str) -> bool:
    parts = resource.split(":", 4)
    if len(parts) != 5 or parts[:2] != ["acs", "oss"] or parts[3] not in ("*", account):
        return False
    return parts[4].partition("/")[0] in (bucket, "*")


def _policy(why: str) -> OssError:
    return OssError(400, "InvalidPolicyDocument", f"Policy syntax error: {why}.")
