"""The forms that documents of settings, and of some requests, may have.

A form is a table of elements: `Name` once, `Name?` at most once, `Name*` any number, `Name+` one or more; the
value is another table, a choice of texts, or a pattern.
"""

from __future__ import annotations

import re
from typing import Any, Final

from emulator.services.oss import errors
from emulator.services.oss.xml import Node

TEXT: Final = r"(?s).*"
BOOL: Final = ("true", "false")
NUMBER: Final = r"\d{1,9}"
DATE: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
CLASS: Final = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")
ENABLED: Final = ("Enabled", "Disabled")

_TAG: Final = {"Key": r"(?s).{1,128}", "Value?": r"(?s).{0,256}"}
_TRANSITION: Final = {
    "Days?": NUMBER, "CreatedBeforeDate?": DATE, "StorageClass": CLASS, "IsAccessTime?": BOOL,
    "ReturnToStdWhenVisit?": BOOL, "AllowSmallFile?": BOOL,
}  # fmt: skip
_OLD_TRANSITION: Final = {
    "NoncurrentDays": NUMBER, "StorageClass": CLASS, "IsAccessTime?": BOOL, "ReturnToStdWhenVisit?": BOOL,
    "AllowSmallFile?": BOOL,
}  # fmt: skip

FORMS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "lifecycle": ("LifecycleConfiguration", {"Rule+": {
        "ID?": r"(?s).{0,255}", "Prefix?": TEXT, "Status": ENABLED, "AtimeBase?": NUMBER,
        "Expiration?": {
            "Days?": NUMBER, "Date?": DATE, "CreatedBeforeDate?": DATE, "ExpiredObjectDeleteMarker?": BOOL,
        },
        "Transition*": _TRANSITION,
        "AbortMultipartUpload?": {"Days?": NUMBER, "CreatedBeforeDate?": DATE},
        "NoncurrentVersionExpiration?": {"NoncurrentDays": NUMBER},
        "NoncurrentVersionTransition*": _OLD_TRANSITION,
        "Tag*": _TAG,
        "Filter?": {
            "ObjectSizeGreaterThan?": NUMBER, "ObjectSizeLessThan?": NUMBER,
            "Not*": {"Prefix": TEXT, "Tag?": _TAG},
        },
    }}),
    "cors": ("CORSConfiguration", {
        "CORSRule+": {
            "AllowedOrigin+": TEXT, "AllowedMethod+": ("GET", "PUT", "POST", "DELETE", "HEAD"),
            "AllowedHeader*": TEXT, "ExposeHeader*": TEXT, "MaxAgeSeconds?": NUMBER,
        },
        "ResponseVary?": BOOL,
    }),
    "website": ("WebsiteConfiguration", {
        "IndexDocument?": {"Suffix": r"[^/]+", "SupportSubDir?": BOOL, "Type?": ("0", "1", "2")},
        "ErrorDocument?": {"Key": TEXT, "HttpStatus?": ("200", "404")},
    }),
    "logging": ("BucketLoggingStatus", {
        "LoggingEnabled?": {"TargetBucket": TEXT, "TargetPrefix?": TEXT, "LoggingRole?": TEXT},
    }),
    "referer": ("RefererConfiguration", {
        "AllowEmptyReferer": BOOL, "AllowTruncateQueryString?": BOOL, "TruncatePath?": BOOL,
        "RefererList?": {"Referer*": TEXT}, "RefererBlacklist?": {"Referer*": TEXT},
    }),
    "tagging": ("Tagging", {"TagSet": {"Tag*": _TAG}}),
    "encryption": ("ServerSideEncryptionRule", {"ApplyServerSideEncryptionByDefault": {
        "SSEAlgorithm": ("KMS", "AES256", "SM4"), "KMSMasterKeyID?": TEXT, "KMSDataEncryption?": ("SM4",),
    }}),
    "transferAcceleration": ("TransferAccelerationConfiguration", {"Enabled": BOOL}),
    "accessmonitor": ("AccessMonitorConfiguration", {"Status": ENABLED, "AllowCopy?": BOOL}),
    "publicAccessBlock": ("PublicAccessBlockConfiguration", {"BlockPublicAccess": BOOL}),
    "requestPayment": ("RequestPaymentConfiguration", {"Payer": ("BucketOwner", "Requester")}),
    "httpsConfig": ("HttpsConfiguration", {
        "TLS?": {"Enable": BOOL, "TLSVersion*": ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")},
        "CipherSuite?": {
            "Enable": BOOL, "StrongCipherSuite?": BOOL, "CustomCipherSuite*": TEXT,
            "TLS13CustomCipherSuite*": TEXT,
        },
    }),
    "bucketArchiveDirectRead": ("ArchiveDirectReadConfiguration", {"Enabled": BOOL}),
    "userDefinedLogFieldsConfig": ("UserDefinedLogFieldsConfiguration", {
        "HeaderSet?": {"header*": TEXT}, "ParamSet?": {"parameter*": TEXT},
    }),
    "resourceGroup": ("BucketResourceGroupConfiguration", {"ResourceGroupId": r"rg-[a-z0-9-]{1,60}"}),
    "create": ("CreateBucketConfiguration", {
        "StorageClass?": CLASS, "DataRedundancyType?": ("LRS", "ZRS"),
        "LocationConstraint?": r"oss-[a-z0-9-]+",
    }),
    "delete": ("Delete", {"Quiet?": BOOL, "Object+": {"Key": TEXT, "VersionId?": TEXT}}),
    "complete": ("CompleteMultipartUpload", {"Part+": {"PartNumber": NUMBER, "ETag": TEXT}}),
}  # fmt: skip
"""By sub-resource, or by what they are sent for: the root element and what it holds."""


NOT_SERVED: Final = {"RoutingRules"}
"""Elements that OSS knows and this does not."""


def check(name: str, root: Node) -> None:
    """Raises OssError for a document that does not have the form."""
    wanted, form = FORMS[name]
    if root.name != wanted:
        raise errors.malformed_xml(f"The root element is {root.name}, not {wanted}.")
    _check(wanted, root, form)


def _check(place: str, node: Node, form: dict[str, Any]) -> None:
    rules = {name.rstrip("?*+"): (name, kind) for name, kind in form.items()}
    # The official provider sends elements that were not given as empty ones.
    node.below = [child for child in node.below if child.below or child.text or not _unset(child, rules)]
    for child in node.below:
        if child.name in NOT_SERVED:
            raise errors.not_served(f"{place}/{child.name}")
        if child.name not in rules:
            raise errors.malformed_xml(f"{place} has an unknown element {child.name}.")
    for name, (rule, kind) in rules.items():
        found = node.all(name)
        if not found and rule[-1] not in "?*":
            raise errors.malformed_xml(f"{place} has no {name}.")
        if len(found) > 1 and rule[-1] not in "*+":
            raise errors.malformed_xml(f"{place} has more than one {name}.")
        for one in found:
            _check_value(f"{place}/{name}", one, kind)


def _unset(child: Node, rules: dict[str, tuple[str, Any]]) -> bool:
    """Whether an empty element says as much as none."""
    if child.name in NOT_SERVED:
        return True
    rule, kind = rules.get(child.name, ("", ""))
    return rule.endswith("?") and not (isinstance(kind, str) and re.fullmatch(kind, ""))


def _check_value(place: str, node: Node, kind: Any) -> None:
    if isinstance(kind, dict):
        _check(place, node, kind)
    elif node.below:
        raise errors.malformed_xml(f"{place} holds elements.")
    elif isinstance(kind, tuple):
        if node.text not in kind:
            raise errors.malformed_xml(f"{place} is one of {', '.join(kind)}.")
    elif not re.fullmatch(kind, node.text):
        raise errors.malformed_xml(f"{place} has the value {node.text!r}.")
