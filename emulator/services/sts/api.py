"""STS: who calls, and short keys of roles.

https://help.aliyun.com/zh/ram/developer-reference/api-sts-2015-04-01-overview
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from emulator.api.call import Answer, Call, Request, Says
from emulator.api.dispatch import Service
from emulator.services.sts import sessions
from emulator.times import seconds_utc

STS = Service("sts", "2015-04-01", regional=False)


class GetCallerIdentity(Request):
    pass


@STS.action
def get_caller_identity(call: Call, given: GetCallerIdentity) -> Answer:  # noqa: ARG001
    caller = call.caller
    answer = {
        "AccountId": caller.account,
        "Arn": caller.arn,
        "IdentityType": caller.kind,
        "PrincipalId": caller.principal,
    }
    if caller.kind == "AssumedRoleUser":
        return answer | {"RoleId": caller.principal.partition(":")[0]}
    return answer | {"UserId": caller.principal}


class AssumeRole(Request):
    """Without `Policy`: policies are not enforced here; a session that ignores its own would surprise."""

    role_arn: Annotated[
        str,
        Field(pattern=r"^acs:ram::\d+:role/[A-Za-z0-9.-]{1,64}$"),
        Says("InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed."),
    ]
    role_session_name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9.@_-]{2,64}$"),
        Says("InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed."),
    ]
    duration_seconds: Annotated[
        int,
        Field(ge=900, le=43200),
        Says("InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/12hr."),
    ] = 3600
    external_id: Annotated[
        str,
        Field(min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_=,.@:/-]+$"),
        Says("InvalidParameter.ExternalId", "The parameter ExternalId is wrongly formed."),
    ] = ""


@STS.action
def assume_role(call: Call, given: AssumeRole) -> Answer:
    session = sessions.assume(
        call,
        arn=given.role_arn,
        name=given.role_session_name,
        seconds=given.duration_seconds,
        external=given.external_id,
    )
    return {
        "AssumedRoleUser": {
            "Arn": f"acs:ram::{call.caller.account}:role/{session.role.lower()}/{session.name}",
            "AssumedRoleId": f"{session.role_id}:{session.name}",
        },
        "Credentials": {
            "AccessKeyId": session.id,
            "AccessKeySecret": session.secret,
            "SecurityToken": session.token,
            "Expiration": seconds_utc(session.expires),
        },
    }
