"""What OSS answers when it refuses. https://help.aliyun.com/zh/oss/developer-reference/error-codes"""

from __future__ import annotations

from typing import Final

from emulator.api.errors import ApiError


class OssError(ApiError):
    """A refusal, with what OSS says of it beside code and message."""

    def __init__(self, status: int, code: str, message: str, **details: str) -> None:
        super().__init__(status, code, message)
        self.details = details


def not_served(what: str) -> OssError:
    """OSS knows it; here it is refused rather than ignored."""
    return OssError(501, "NotImplemented", f"{what} is not served by this emulator; see COVERAGE.md.")


def argument(name: str, value: str, message: str = "") -> OssError:
    return OssError(
        400,
        "InvalidArgument",
        message or f"The argument {name} is invalid.",
        ArgumentName=name,
        ArgumentValue=value,
    )


def denied(why: str) -> OssError:
    return OssError(403, "AccessDenied", why)


def malformed_xml(why: str) -> OssError:
    return OssError(
        400,
        "MalformedXML",
        f"The XML you provided was not well-formed or did not validate against our published schema. {why}",
    )


def no_bucket(name: str) -> OssError:
    return OssError(404, "NoSuchBucket", "The specified bucket does not exist.", BucketName=name)


def bucket_name(name: str) -> OssError:
    return OssError(400, "InvalidBucketName", "The specified bucket is not valid.", BucketName=name)


def bucket_exists(name: str) -> OssError:
    return OssError(
        409,
        "BucketAlreadyExists",
        "The requested bucket name is not available. The bucket namespace is shared by all users of the "
        "system. Please select a different name and try again.",
        BucketName=name,
    )


def not_empty(name: str) -> OssError:
    return OssError(
        409,
        "BucketNotEmpty",
        "The bucket has objects. Please delete them first.",
        BucketName=name,
    )


def other_region(name: str, region: str) -> OssError:
    return OssError(
        403,
        "AccessDenied",
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please "
        "send all future requests to this endpoint.",
        Bucket=name,
        Endpoint=f"oss-{region}.aliyuncs.com",
    )


def no_key(key: str) -> OssError:
    return OssError(404, "NoSuchKey", "The specified key does not exist.", Key=key)


def key_name(key: str) -> OssError:
    return OssError(400, "InvalidObjectName", "The specified object is not valid.", ObjectName=key)


def key_exists(key: str) -> OssError:
    return OssError(
        409,
        "FileAlreadyExists",
        "The object you specified already exists and can not be overwritten.",
        Key=key,
    )


def no_upload(upload: str) -> OssError:
    return OssError(
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        "aborted or completed.",
        UploadId=upload,
    )


def precondition(condition: str) -> OssError:
    return OssError(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold.",
        Condition=condition,
    )


def digest(given: str, *, well_formed: bool) -> OssError:
    if not well_formed:
        return OssError(
            400, "InvalidDigest", "The Content-MD5 you specified is not valid.", Content_MD5=given
        )
    return OssError(
        400,
        "InvalidDigest",
        "The Content-MD5 you specified did not match what we received.",
        Content_MD5=given,
    )


# --- credentials and signatures


def wrong_signature(key: str, given: str, string_to_sign: str) -> OssError:
    return OssError(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and "
        "signing method.",
        OSSAccessKeyId=key,
        SignatureProvided=given,
        StringToSign=string_to_sign,
    )


def skewed(given: str, now: str) -> OssError:
    return OssError(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        MaxAllowedSkewMilliseconds="900000",
        RequestTime=given,
        ServerTime=now,
    )


KEYS: Final = {
    "InvalidAccessKeyId.NotFound": (
        "InvalidAccessKeyId",
        "The OSS Access Key Id you provided does not exist in our records.",
    ),
    "InvalidAccessKeyId.Inactive": (
        "InvalidAccessKeyId",
        "The OSS Access Key Id you provided is disabled.",
    ),
    "InvalidSecurityToken.Expired": (
        "SecurityTokenExpired",
        "The security token you provided has expired.",
    ),
    "InvalidSecurityToken.MismatchWithAccessKey": (
        "InvalidSecurityToken",
        "The security token you provided is invalid.",
    ),
}
"""What the RPC APIs say of a key, and what OSS says."""
