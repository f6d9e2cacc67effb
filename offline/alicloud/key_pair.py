"""A key pair for machines."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from offline.alicloud.api import Answer, Refused, Unreached
from offline.alicloud.field import Property, length, tags_sent
from offline.alicloud.lifecycle import TAGS, CloudResource
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import Context, Difference, Field, Inputs, ResourceError, State


class EcsKeyPair(CloudResource):
    """alicloud:ecs/ecsKeyPair:EcsKeyPair. Its id is its name."""

    type: ClassVar[str] = "alicloud:ecs/ecsKeyPair:EcsKeyPair"
    product = "ecs"
    noun = "key pair"
    id_parameter = "KeyPairName"
    tag_kind = "keypair"
    fields: ClassVar[Mapping[str, Field]] = {
        "keyFile": Property(replace=True),
        "keyName": Property(read="KeyPairName", computed=True, replace=True, deprecated=True),
        "keyNamePrefix": Property(replace=True, conflicts=("keyPairName", "keyName"), valid=length(0, 100)),
        "keyPairName": Property(
            read="KeyPairName",
            computed=True,
            replace=True,
            conflicts=("keyName",),
            valid=length(2, 128),
        ),
        "publicKey": Property(same=lambda old, new: str(old or "").strip() == str(new or "").strip()),
        "resourceGroupId": Property(create="ResourceGroupId", read="ResourceGroupId", computed=True),
        "tags": TAGS,
    }
    creation = Creation(action="CreateKeyPair", id="KeyPairName", token=False)
    changes = (
        Change(
            action="JoinResourceGroup",
            properties={"resourceGroupId": "ResourceGroupId"},
            id="ResourceId",
            fixed={"ResourceType": "keypair"},
        ),
    )
    deletion = Deletion(action="DeleteKeyPairs", again=("InvalidParameter.KeypairAlreadyAttachedInstance",))

    def diff(self, ctx: Context, id: str, state: State, news: Inputs) -> Difference | None:
        # No action changes the key of a pair; the official provider reports an update and does nothing.
        # One that was imported does not know its key, and must not be replaced for that.
        old, new = state.get("publicKey"), news.get("publicKey")
        if old and new and not self.fields["publicKey"].same(old, new):  # type: ignore[misc]
            return Difference(replace=["publicKey"], delete_before_replace="keyNamePrefix" not in news)
        return super().diff(ctx, id, state, news)

    def make(self, work: Work, inputs: Inputs) -> str:
        prefix = inputs.get("keyNamePrefix", "terraform-")
        name = inputs.get("keyPairName") or inputs.get("keyName") or f"{prefix}{secrets.token_hex(8)}"
        given = {**self.parameters(inputs), "KeyPairName": name}
        if inputs.get("tags"):
            given["Tag"] = tags_sent(inputs["tags"])
        if key := inputs.get("publicKey"):
            action, given["PublicKeyBody"] = "ImportKeyPair", key
        else:
            action = "CreateKeyPair"
        if self.describe(work, name) is not None:
            raise ResourceError(
                f"there is a key pair '{name}' already", fix="import it, or choose another name"
            )
        try:
            answer = work(action, given, once=True)
        except (Unreached, Refused) as error:
            lost = isinstance(error, Unreached) or error.undecided
            if not lost or self.describe(work, name) is None:
                raise
            if action == "CreateKeyPair":  # the private key was in the answer that is lost: nobody has it
                work(self.deletion.action, self._pairs(name))
                raise
            return str(name)
        if file := inputs.get("keyFile"):
            self._write(work, name, Path(file), str(answer.get("PrivateKeyBody") or ""))
        return str(name)

    def _write(self, work: Work, name: str, file: Path, private: str) -> None:
        """The private key, readable by its owner alone. Without it the pair is of no use, and goes again."""
        if not private:
            return
        try:
            file.unlink(missing_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as opened:
                opened.write(private)
        except OSError as error:
            work(self.deletion.action, self._pairs(name))
            raise ResourceError(
                f"the private key of '{name}' cannot be written to {file}: {error.strerror}",
                fix="set keyFile to a file in a folder that you may write to",
            ) from error

    @staticmethod
    def _pairs(name: str) -> dict[str, Any]:
        return {"KeyPairNames": f'["{name}"]'}

    def describe(self, work: Work, id: str) -> Answer | None:
        answer = work.found("DescribeKeyPairs", {"KeyPairName": id}) or {}
        pairs = (answer.get("KeyPairs") or {}).get("KeyPair") or []
        return next((one for one in pairs if one["KeyPairName"] == id), None)

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | {
            "createTime": answer.get("CreationTime"),
            "fingerPrint": answer.get("KeyPairFingerPrint"),
        }

    def delete(self, ctx: Context, id: str, state: State) -> None:  # noqa: ARG002
        work = Work.of(ctx, self.product, self.deletion.seconds)
        try:
            work(self.deletion.action, self._pairs(id), again=self.deletion.again)
        except Refused as refused:
            if not refused.missing:
                raise
