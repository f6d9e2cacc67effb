"""STS: who calls. https://help.aliyun.com/zh/ram/developer-reference/api-sts-2015-04-01-getcalleridentity"""

from __future__ import annotations

from emulator.api.call import Answer, Call, Request
from emulator.api.dispatch import Service

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
