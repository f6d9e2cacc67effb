"""RAM: roles, policies, and what ties them together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer, Refused, Unreached
from offline.alicloud.field import (
    Property,
    is_json,
    one_of,
    pick,
    same_document,
    tags_read,
    tags_sent,
)
from offline.alicloud.lifecycle import TAGS, CloudResource
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import UNKNOWN, CheckFailure, Context, Field, Inputs, ResourceError, State

_OLD: Final = "deprecated since 1.49 of the official provider; write the whole document instead"


def _document(*others: str, deprecated: bool = False) -> Property:
    return Property(computed=True, valid=is_json, same=same_document, conflicts=others, deprecated=deprecated)


class _Named(CloudResource):
    """A thing of RAM's: it is known by its name, has no client tokens, and its tags are asked for apart."""

    product = "ram"

    def retag(self, work: Work, id: str, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        place = {"ResourceType": self.tag_kind, "ResourceNames": [id]}
        if gone := sorted(tags_read([{"Key": key} for key in old.keys() - new.keys()])):
            work("UntagResources", {**place, "TagKeys": gone})
        if wanted := {key: value for key, value in new.items() if old.get(key) != value}:
            work("TagResources", {**place, "Tag": tags_sent(wanted)})

    def tagged(self, work: Work, id: str) -> list[Answer]:
        """The tags, as `tags_read` takes them."""
        asked = {"ResourceType": self.tag_kind, "ResourceNames": [id]}
        answer = work.found("ListTagResources", asked) or {}
        found = answer.get("TagResources") or []
        return [{"Key": one["TagKey"], "Value": one.get("TagValue", "")} for one in found]

    def make(self, work: Work, inputs: Inputs) -> str:
        given = self.parameters(inputs)
        if inputs.get("tags"):
            given["Tag"] = tags_sent(inputs["tags"])
        name = str(given[self.id_parameter])
        if self.describe(work, name) is not None:
            raise ResourceError(
                f"there is a {self.noun} '{name}' already", fix="import it, or choose another name"
            )
        try:
            work(self.creation.action, given, once=True)
        except (Unreached, Refused) as error:
            lost = isinstance(error, Unreached) or error.undecided
            if not lost or self.describe(work, name) is None:
                raise
        return name


class Role(_Named):
    """alicloud:ram/role:Role."""

    type: ClassVar[str] = "alicloud:ram/role:Role"
    noun = "role"
    id_parameter = "RoleName"
    tag_kind = "role"
    fields: ClassVar[Mapping[str, Field]] = {
        "assumeRolePolicyDocument": _document("document"),
        "description": Property(create="Description", read="Description"),
        "document": _document("assumeRolePolicyDocument", deprecated=True),
        "force": Property(),
        "maxSessionDuration": Property(create="MaxSessionDuration", read="MaxSessionDuration", computed=True),
        "name": Property(
            create="RoleName",
            read="RoleName",
            computed=True,
            replace=True,
            conflicts=("roleName",),
            deprecated=True,
        ),
        "ramUsers": Property(refused=_OLD, deprecated=True),
        "roleName": Property(
            create="RoleName", read="RoleName", computed=True, replace=True, conflicts=("name",)
        ),
        "services": Property(refused=_OLD, deprecated=True),
        "tags": TAGS,
        "version": Property(refused=_OLD, deprecated=True),
    }
    creation = Creation(action="CreateRole", id="RoleName", token=False)
    changes = (
        Change(
            action="UpdateRole",
            properties={
                "description": "NewDescription",
                "maxSessionDuration": "NewMaxSessionDuration",
                "assumeRolePolicyDocument": "NewAssumeRolePolicyDocument",
                "document": "NewAssumeRolePolicyDocument",
            },
        ),
    )
    deletion = Deletion(action="DeleteRole", again=("DeleteConflict.Role.Policy",))

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        found = []
        if not {"assumeRolePolicyDocument", "document"} & inputs.keys():
            reason = "is required: it says who may assume the role"
            found.append(CheckFailure(property="assumeRolePolicyDocument", reason=reason))
        if not {"roleName", "name"} & inputs.keys():
            found.append(CheckFailure(property="roleName", reason="is required"))
        return found

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        document = inputs.get("assumeRolePolicyDocument", inputs.get("document"))
        return {**super().parameters(inputs), "AssumeRolePolicyDocument": document}

    def describe(self, work: Work, id: str) -> Answer | None:
        answer = work.found("GetRole", {"RoleName": id})
        return None if answer is None else {**answer["Role"], "Tags": {"Tag": self.tagged(work, id)}}

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        document = answer.get("AssumeRolePolicyDocument")
        return super().state_of(work, id, answer) | {
            "arn": answer.get("Arn"),
            "roleId": answer.get("RoleId"),
            "createTime": answer.get("CreateDate"),
            "assumeRolePolicyDocument": document,
            "document": document,
            **_parts(document),
        }

    def delete(self, ctx: Context, id: str, state: State) -> None:
        if state.get("force"):
            work = Work.of(ctx, self.product, self.deletion.seconds)
            answer = work.found("ListPoliciesForRole", {"RoleName": id}) or {}
            for one in pick(answer, "Policies.Policy") or []:
                given = {"PolicyName": one["PolicyName"], "PolicyType": one["PolicyType"], "RoleName": id}
                work.found("DetachPolicyFromRole", given)
        super().delete(ctx, id, state)


def _parts(document: str | None) -> State:
    """What the deprecated properties say about a document."""
    try:
        read = json.loads(document or "{}")
        principal = (read.get("Statement") or [{}])[0].get("Principal") or {}
    except (ValueError, AttributeError, IndexError):
        return {}
    found = {
        "version": read.get("Version"),
        "ramUsers": principal.get("RAM"),
        "services": principal.get("Service"),
    }
    return {name: value for name, value in found.items() if value}


class Policy(_Named):
    """alicloud:ram/policy:Policy."""

    type: ClassVar[str] = "alicloud:ram/policy:Policy"
    noun = "policy"
    id_parameter = "PolicyName"
    tag_kind = "policy"
    fields: ClassVar[Mapping[str, Field]] = {
        "description": Property(create="Description", read="Policy.Description"),
        "document": _document("policyDocument", deprecated=True),
        "force": Property(),
        "name": Property(
            create="PolicyName",
            read="Policy.PolicyName",
            computed=True,
            replace=True,
            conflicts=("policyName",),
            deprecated=True,
        ),
        "policyDocument": _document("document"),
        "policyName": Property(
            create="PolicyName", read="Policy.PolicyName", computed=True, replace=True, conflicts=("name",)
        ),
        "rotateStrategy": Property(valid=one_of("None", "DeleteOldestNonDefaultVersionWhenLimitExceeded")),
        "statements": Property(refused=_OLD, deprecated=True),
        "tags": TAGS,
        "version": Property(refused=_OLD, deprecated=True),
    }
    creation = Creation(action="CreatePolicy", id="PolicyName", token=False)
    changes = (Change(action="UpdatePolicyDescription", properties={"description": "NewDescription"}),)
    deletion = Deletion(action="DeletePolicy", fixed={"CascadingDelete": True})

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        found = []
        if not {"policyDocument", "document"} & inputs.keys():
            found.append(CheckFailure(property="policyDocument", reason="is required"))
        if not {"policyName", "name"} & inputs.keys():
            found.append(CheckFailure(property="policyName", reason="is required"))
        return found

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        document = inputs.get("policyDocument", inputs.get("document"))
        return {**super().parameters(inputs), "PolicyDocument": document}

    def describe(self, work: Work, id: str) -> Answer | None:
        answer = work.found("GetPolicy", {"PolicyName": id, "PolicyType": "Custom"})
        return None if answer is None else {**answer, "Tags": {"Tag": self.tagged(work, id)}}

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        version = answer.get("DefaultPolicyVersion") or {}
        policy = answer.get("Policy") or {}
        document = version.get("PolicyDocument")
        return super().state_of(work, id, answer) | {
            "policyDocument": document,
            "document": document,
            "versionId": version.get("VersionId"),
            "defaultVersion": policy.get("DefaultVersion"),
            "attachmentCount": policy.get("AttachmentCount"),
            "createTime": policy.get("CreateDate"),
            "type": policy.get("PolicyType"),
        }

    def after(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:  # noqa: ARG002
        if not changed & {"policyDocument", "document"}:
            return
        given = {
            "PolicyName": id,
            "PolicyDocument": inputs.get("policyDocument", inputs.get("document")),
            "SetAsDefault": True,
        }
        if inputs.get("rotateStrategy") not in (None, UNKNOWN):
            given["RotateStrategy"] = inputs["rotateStrategy"]
        work("CreatePolicyVersion", given, once=True)

    def delete(self, ctx: Context, id: str, state: State) -> None:
        if state.get("force"):
            work = Work.of(ctx, self.product, self.deletion.seconds)
            answer = work.found("ListEntitiesForPolicy", {"PolicyName": id, "PolicyType": "Custom"}) or {}
            for path, action, name in _ENTITIES:
                for one in pick(answer, path) or []:
                    work.found(action, {"PolicyName": id, "PolicyType": "Custom", name: one[name]})
        super().delete(ctx, id, state)


_ENTITIES: Final = (
    ("Users.User", "DetachPolicyFromUser", "UserName"),
    ("Groups.Group", "DetachPolicyFromGroup", "GroupName"),
    ("Roles.Role", "DetachPolicyFromRole", "RoleName"),
)


class RolePolicyAttachment(CloudResource):
    """alicloud:ram/rolePolicyAttachment:RolePolicyAttachment. Its id is role:POLICY:TYPE:ROLE."""

    type: ClassVar[str] = "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"
    product = "ram"
    noun = "attachment of a policy"
    attachment = True
    id_parameter = "RoleName"
    fields: ClassVar[Mapping[str, Field]] = {
        "policyName": Property(create="PolicyName", read="PolicyName", replace=True),
        "policyType": Property(
            create="PolicyType", read="PolicyType", replace=True, valid=one_of("System", "Custom")
        ),
        "roleName": Property(create="RoleName", read="RoleName", replace=True),
    }
    creation = Creation(
        action="AttachPolicyToRole", id="role:{policyName}:{policyType}:{roleName}", token=False
    )
    deletion = Deletion(action="DetachPolicyFromRole")

    def make(self, work: Work, inputs: Inputs) -> str:
        id = self.creation.id.format_map(inputs)
        if self.describe(work, id) is not None:
            raise ResourceError(
                f"role {inputs['roleName']} has the policy {inputs['policyName']} already",
                fix=f"import it by its id, {id}, or remove the other one",
            )
        try:
            work(self.creation.action, self.parameters(inputs), again=self.creation.again)
        except Exception:
            if self.describe(work, id) is None:  # else it was attached by the attempt whose answer was lost
                raise
        return id

    def describe(self, work: Work, id: str) -> Answer | None:
        policy, kind, role = _attached(id)
        answer = work.found("ListPoliciesForRole", {"RoleName": role}) or {}
        for one in pick(answer, "Policies.Policy") or []:
            if (one["PolicyName"], one["PolicyType"]) == (policy, kind):
                return {**one, "RoleName": role}
        return None

    def unmade(self, id: str, state: State) -> dict[str, Any]:  # noqa: ARG002
        policy, kind, role = _attached(id)
        return {"PolicyName": policy, "PolicyType": kind, "RoleName": role}


def _attached(id: str) -> tuple[str, str, str]:
    parts = id.split(":")
    if len(parts) != 4 or parts[0] != "role":
        raise ResourceError(
            f"'{id}' is no id of an attachment of a policy", fix="it is role:POLICY:System|Custom:ROLE"
        )
    return parts[1], parts[2], parts[3]
