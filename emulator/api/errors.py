"""What the API answers when it refuses: code, message and HTTP status, as Alibaba Cloud words them.

The errors of the gateway in front of all services stand here, and those that several services share. What
one service alone says stands with its rules, as `ApiError(...)`.
"""

from __future__ import annotations


class ApiError(Exception):
    """A refusal. `code` is what clients decide by; the message is for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def missing(parameter: str) -> ApiError:
    """The gateway's answer where a parameter that the API declares mandatory is not there."""
    return ApiError(400, f"Missing{parameter}", f"{parameter} is mandatory for this action.")


def missing_parameter(parameter: str) -> ApiError:
    """The service's own answer where a parameter is needed beside others that were given."""
    return ApiError(
        400,
        "MissingParameter",
        f'The input parameter "{parameter}" that is mandatory for processing this request is not supplied.',
    )


def invalid(parameter: str) -> ApiError:
    return ApiError(400, f"Invalid{parameter}", f"The specified {parameter} is invalid.")


def malformed(parameter: str) -> ApiError:
    return ApiError(400, f"Invalid{parameter}.Malformed", f'Specified parameter "{parameter}" is not valid.')


def not_found(parameter: str, message: str | None = None) -> ApiError:
    return ApiError(
        404, f"Invalid{parameter}.NotFound", message or f"The specified {parameter} is not found."
    )


def not_served(action: str, parameter: str) -> ApiError:
    """Alibaba Cloud knows the parameter, or ignores it; here nothing is ignored."""
    return ApiError(
        400,
        "UnsupportedParameter.Emulator",
        f"{action}: the parameter {parameter} is not served by this emulator; see COVERAGE.md.",
    )


def action_not_served(action: str) -> ApiError:
    return ApiError(
        404,
        "InvalidAction.NotFound",
        f"Specified api is not found, please check your url and method. ({action}; what this emulator serves "
        "is in COVERAGE.md)",
    )


def invalid_version(version: str) -> ApiError:
    return ApiError(400, "InvalidVersion", f"Specified parameter Version is not valid. ({version})")


def unknown_region(region: str) -> ApiError:
    return ApiError(404, "InvalidRegionId.NotFound", f"The specified RegionId does not exist. ({region})")


def dry_run() -> ApiError:
    return ApiError(412, "DryRunOperation", "Request validation has been passed with DryRun flag set.")


def other_parameters_with_one_token() -> ApiError:
    return ApiError(
        400,
        "IdempotentParameterMismatch",
        "The request uses the same client token as a previous, but non-identical request. Do not reuse a "
        "client token with different requests, unless the requests are identical.",
    )


def quota(code: str, what: str, limit: int) -> ApiError:
    return ApiError(400, code, f"The maximum number of {what} is exceeded: {limit}.")


def throttled() -> ApiError:
    return ApiError(400, "Throttling.User", "Request was denied due to user flow control.")


def unavailable(why: str = "") -> ApiError:
    return ApiError(
        503,
        "ServiceUnavailable",
        "The request has failed due to a temporary failure of the server." + (f" ({why})" if why else ""),
    )


def internal() -> ApiError:
    return ApiError(
        500,
        "InternalError",
        "The request processing has failed due to some unknown error, exception or failure.",
    )


# --- credentials and signatures


def unknown_key() -> ApiError:
    return ApiError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")


def inactive_key() -> ApiError:
    return ApiError(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.")


def wrong_signature(string_to_sign: str) -> ApiError:
    return ApiError(
        400,
        "SignatureDoesNotMatch",
        "Specified signature is not matched with our calculation. server string to sign is:" + string_to_sign,
    )


def incomplete_signature(why: str) -> ApiError:
    return ApiError(
        400, "IncompleteSignature", f"The request signature does not conform to Aliyun standards. {why}"
    )


def expired() -> ApiError:
    return ApiError(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


def not_a_time() -> ApiError:
    return ApiError(
        400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."
    )


def nonce_used() -> ApiError:
    return ApiError(400, "SignatureNonceUsed", "Specified signature nonce was used already.")


def token_expired() -> ApiError:
    return ApiError(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")


def token_wrong() -> ApiError:
    return ApiError(
        400,
        "InvalidSecurityToken.MismatchWithAccessKey",
        "Specified SecurityToken mismatch with the AccessKey.",
    )
