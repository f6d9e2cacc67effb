"""What failures of Alibaba Cloud's APIs say, and what to do about those that have a known way out."""

from __future__ import annotations

import traceback
from typing import Final

from offline.alicloud.api import Refused, Unreached
from offline.provider.resource import ResourceError
from offline.provider.values import AssetRefused

_WAYS_OUT: Final = (
    ("InvalidAccessKeyId", "check alicloud:accessKey, or whether the key is switched off"),
    ("SignatureDoesNotMatch", "check alicloud:secretKey"),
    ("IncompleteSignature", "check alicloud:secretKey"),
    ("InvalidSecurityToken", "get a new token: this one has expired or belongs to another key"),
    ("InvalidTimeStamp", "set this machine's clock: it differs from Alibaba Cloud's by more than 15 minutes"),
    ("Forbidden", "give the user or role of this key the right to it, in RAM"),
    ("NoPermission", "give the user or role of this key the right to it, in RAM"),
    ("Throttling", "run the command again a little later, or with --parallel 4"),
    ("InvalidOperation.DeletionProtection", "set deletionProtection to false, and run `pulumi up` before"),
    ("DependencyViolation", "remove what still uses it first"),
    ("QuotaExceeded", "remove some, or ask for a larger quota in the Quota Center"),
    ("InvalidRegionId", "check alicloud:region"),
    ("OperationDenied.NoStock", "choose another zone or instance type"),
    ("BucketNotEmpty", "remove what is in it, or set forceDestroy to true, and run `pulumi up` before"),
    ("BucketAlreadyExists", "choose another name: all users of OSS share them"),
    ("InvalidAccountStatus", "pay the account's balance"),
)


def explain(error: BaseException) -> str:
    """One line of cause, and the next step where there is one; a defect of the plugin shows where it is."""
    if isinstance(error, ResourceError | AssetRefused):
        return str(error)
    if isinstance(error, Refused):
        fix = next((way for start, way in _WAYS_OUT if error.code.startswith(start)), None)
        return str(ResourceError(str(error), fix=fix))
    if isinstance(error, Unreached):
        fix = "see whether the API can be reached from here, then repeat the command"
        return str(ResourceError(str(error), fix=fix))
    where = "".join(traceback.format_exception(error))
    return f"{type(error).__name__}: {error}; this is a defect of the alicloud plugin\n{where}"
