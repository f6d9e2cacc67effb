"""Policy documents: whether they have the form of one, and whom a role trusts.

https://help.aliyun.com/zh/ram/user-guide/policy-structure-and-syntax
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from emulator.api.call import Caller
from emulator.api.errors import ApiError, not_served

LONGEST_TRUST: Final = 4096
LONGEST_POLICY: Final = 6144
_STATEMENT: Final = {
    "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal",
    "Condition",
}  # fmt: skip
_RAM: Final = re.compile(r"acs:ram::(\d+|\*):(root|\*|user/[\w.*-]+|role/[\w.*-]+)")
_PRINCIPALS: Final = ("RAM", "Service", "Federated")
_EFFECTS: Final = ("Allow", "Deny")


def malformed(why: str) -> ApiError:
    return ApiError(400, "MalformedPolicyDocument", f"The policy document is malformed. {why}")


def check_policy(text: str) -> None:
    """What a user or role may do. Raises ApiError."""
    for at, statement in enumerate(_statements(text, "PolicyDocument", LONGEST_POLICY), 1):
        if "Principal" in statement or "NotPrincipal" in statement:
            raise malformed(f"Statement {at} has a Principal.")
        for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
            if (one in statement) == (other in statement):
                raise malformed(f"Statement {at} needs {one} or {other}, and not both.")
        for name in ("Action", "NotAction", "Resource", "NotResource"):
            if name in statement:
                _texts(statement[name], f"{name} of statement {at}")


def check_trust(text: str) -> None:
    """Who may assume a role. Raises ApiError."""
    for at, statement in enumerate(_statements(text, "AssumeRolePolicyDocument", LONGEST_TRUST), 1):
        if unlike := sorted(statement.keys() & {"NotAction", "Resource", "NotResource", "NotPrincipal"}):
            raise malformed(f"Statement {at} has {unlike[0]}.")
        for action in _texts(statement.get("Action"), f"Action of statement {at}"):
            if action.lower() not in ("sts:assumerole", "sts:setsourceidentity", "sts:*", "*"):
                raise malformed(f"Statement {at} has the action {action}.")
        principals = statement.get("Principal")
        if not isinstance(principals, dict) or not principals:
            raise malformed(f"Statement {at} has no Principal.")
        for kind, names in principals.items():
            if kind not in _PRINCIPALS:
                raise malformed(f"Statement {at} has a Principal {kind}.")
            if names is None:  # the official provider writes the kinds that were not given as null
                continue
            for name in _texts(names, f"{kind} of statement {at}"):
                if kind == "RAM" and not _RAM.fullmatch(name):
                    raise malformed(f"Statement {at} has the principal {name}.")


def trusted(text: str, caller: Caller, external: str) -> bool:
    """Whether a document that `check_trust` passed lets the caller in.

    external: the ExternalId of the request. Raises ApiError for conditions that are not served.
    """
    allowed = False
    for statement in _statements(text, "AssumeRolePolicyDocument", LONGEST_TRUST):
        actions = [action.lower() for action in _texts(statement["Action"], "Action")]
        if not {"sts:assumerole", "sts:*", "*"}.intersection(actions):
            continue
        named = statement["Principal"].get("RAM") or []
        if not any(_means(name, caller) for name in _texts(named, "RAM")):
            continue
        if not _holds(statement.get("Condition") or {}, external):
            continue
        if statement["Effect"] == "Deny":
            return False
        allowed = True
    return allowed


def trusts(text: str, service: str) -> bool:
    """Whether a document that `check_trust` passed lets a service in, such as ecs.aliyuncs.com."""
    effects = {
        statement["Effect"]
        for statement in _statements(text, "AssumeRolePolicyDocument", LONGEST_TRUST)
        if {"sts:assumerole", "sts:*", "*"} & {one.lower() for one in _texts(statement["Action"], "Action")}
        and service in _texts(statement["Principal"].get("Service") or [], "Service")
    }
    return effects == {"Allow"}


def _means(principal: str, caller: Caller) -> bool:
    _, _, _, account, who = principal.split(":", 4)
    if account not in ("*", caller.account):
        return False
    kind, _, name = who.partition("/")
    if kind in ("root", "*"):  # the account, which means all its users and roles
        return True
    mine = caller.arn.split(":", 4)[4].split("/")
    return mine[0] == {"user": "user", "role": "assumed-role"}[kind] and name.lower() in (
        "*",
        mine[1].lower(),
    )


def _holds(condition: dict[str, Any], external: str) -> bool:
    for operator, tests in condition.items():
        for key, wanted in tests.items():
            if (operator, key.lower()) != ("StringEquals", "sts:externalid"):
                raise not_served("AssumeRole", f"Condition.{operator}.{key}")
            if external not in _texts(wanted, key):
                return False
    return True


def _statements(text: str, parameter: str, longest: int) -> list[dict[str, Any]]:
    if len(text.encode()) > longest:
        raise ApiError(
            400,
            f"InvalidParameter.{parameter}.Length",
            f'The parameter - "{parameter}" beyond the length limit.',
        )
    try:
        document = json.loads(text)
    except ValueError:
        raise malformed("It is no JSON.") from None
    if not isinstance(document, dict) or set(document) - {"Version", "Statement"}:
        raise malformed("It is an object of Version and Statement.")
    if document.get("Version") != "1":
        raise malformed("The Version is 1.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise malformed("It has no Statement.")
    for at, statement in enumerate(statements, 1):
        if not isinstance(statement, dict) or set(statement) - _STATEMENT:
            raise malformed(f"Statement {at} has unknown elements.")
        if statement.get("Effect") not in _EFFECTS:
            raise malformed(f"The Effect of statement {at} is Allow or Deny.")
        condition = statement.get("Condition", {})
        if not isinstance(condition, dict) or not all(isinstance(one, dict) for one in condition.values()):
            raise malformed(f"The Condition of statement {at} is an object of objects.")
    return statements


def _texts(value: Any, where: str) -> list[str]:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and one for one in found):
        raise malformed(f"{where} is text, or a list of it.")
    return found
