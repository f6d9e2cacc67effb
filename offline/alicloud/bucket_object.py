"""An object in a bucket."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer
from offline.alicloud.bucket import ACLS
from offline.alicloud.field import Property, one_of, together
from offline.alicloud.lifecycle import CloudResource, without
from offline.alicloud.work import Creation, Deletion, Work
from offline.provider.resource import CheckFailure, Context, Field, Inputs, ResourceError, State

_WORM: Final = "retention is not served by this plugin; use the official alicloud plugin"
_OUTPUTS: Final = {
    "contentLength": "content-length",
    "etag": "etag",
    "versionId": "x-oss-version-id",
}


def _is_time(value: str) -> str | None:
    try:
        parsedate_to_datetime(value)
    except ValueError:
        return "must be a time like 'Mon, 02 Jan 2006 15:04:05 GMT'"
    return None


class BucketObject(CloudResource):
    """alicloud:oss/bucketObject:BucketObject. Its id is its key: without the bucket it cannot be imported.

    `create` of a property is the header that says it, `read` the one that an answer says it in.
    """

    type: ClassVar[str] = "alicloud:oss/bucketObject:BucketObject"
    product = "oss"
    noun = "object"
    id_parameter = "Key"
    fields: ClassVar[Mapping[str, Field]] = {
        "acl": Property(create="x-oss-object-acl", default="private", valid=one_of(*ACLS)),
        "bucket": Property(replace=True),
        "cacheControl": Property(create="Cache-Control", read="cache-control"),
        "content": Property(conflicts=("source",)),
        "contentDisposition": Property(create="Content-Disposition", read="content-disposition"),
        "contentEncoding": Property(create="Content-Encoding", read="content-encoding"),
        "contentMd5": Property(create="Content-MD5"),
        "contentType": Property(create="Content-Type", read="content-type", computed=True),
        "expires": Property(create="Expires", read="expires", valid=_is_time),
        "key": Property(replace=True),
        "kmsKeyId": Property(create="x-oss-server-side-encryption-key-id"),
        "objectWormMode": Property(refused=_WORM),
        "objectWormRetainUntilDate": Property(refused=_WORM),
        "serverSideEncryption": Property(
            create="x-oss-server-side-encryption", default="AES256", valid=one_of("KMS", "AES256")
        ),
        "source": Property(conflicts=("content",)),
    }
    creation = Creation(action="PutObject", id="{key}", token=False)
    deletion = Deletion(action="DeleteObject")

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        return list(together(("source", "content"), inputs, most=2))  # both: they conflict, which is said

    def table(self, ctx: Context, state: State, inputs: Inputs) -> Mapping[str, Field]:  # noqa: ARG002
        encrypted = inputs.get("serverSideEncryption", "AES256")
        return self.fields if encrypted == "KMS" else without(self.fields, "kmsKeyId")

    def make(self, work: Work, inputs: Inputs) -> str:
        self._put(work, inputs)
        return str(inputs["key"])

    def _put(self, work: Work, inputs: Inputs) -> None:
        headers = {name: str(value) for name, value in self.parameters(inputs).items()}
        if "Expires" in headers:
            headers["Expires"] = format_datetime(parsedate_to_datetime(headers["Expires"]), usegmt=True)
        body: bytes | Path = str(inputs.get("content", "")).encode()
        names = [inputs["key"]]
        if "source" in inputs:
            body = Path(inputs["source"]).expanduser()
            names.insert(0, body.name)
            if not body.is_file():
                raise ResourceError(
                    f"there is no file {body}", fix="check source, from where pulumi was started"
                )
        guessed = [kind for name in names if (kind := mimetypes.guess_type(name)[0])]
        headers.setdefault("Content-Type", (guessed or ["application/octet-stream"])[0])
        place = {"Bucket": inputs["bucket"], "Key": inputs["key"]}
        work("PutObject", {**place, "Headers": headers, "Body": body})

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        work = Work.of(ctx, self.product, self.creation.seconds)
        id = self.make(work, inputs)
        return id, self._now(work, inputs)

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:  # noqa: ARG002
        work = Work.of(ctx, self.product, self.update_seconds)
        if self._changed(ctx, state, inputs) == {"acl"}:
            place = {"Bucket": inputs["bucket"], "Key": inputs["key"]}
            work("PutObjectAcl", {**place, "Headers": {"x-oss-object-acl": inputs["acl"]}})
        else:
            self._put(work, inputs)
        return self._now(work, inputs)

    def _now(self, work: Work, inputs: Mapping[str, Any]) -> State:
        found = self._head(work, inputs)
        if found is None:
            raise ResourceError(f"object {inputs['key']} is gone", fix="run `pulumi refresh`, then repeat")
        return self._told(found, inputs)

    def _head(self, work: Work, known: Mapping[str, Any]) -> Answer | None:
        return work.found("HeadObject", {"Bucket": known["bucket"], "Key": known["key"]})

    def _told(self, found: Answer, before: Mapping[str, Any]) -> State:
        headers = found["Headers"]
        told = {
            name: headers.get(one.read)
            for name, one in self.fields.items()
            if isinstance(one, Property) and one.read
        }
        told |= {name: headers.get(header, "").strip('"') for name, header in _OUTPUTS.items()}
        kept = {name: before[name] for name in self.fields if name in before and name not in told}
        return {**{name: value for name, value in told.items() if value}, **kept}

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        known = {**inputs, **state}
        if "bucket" not in known:
            raise ResourceError(
                f"object {id} cannot be imported: its id says nothing of its bucket",
                fix="declare it without import: it is put anew, over what is there",
            )
        found = self._head(Work.of(ctx, self.product, 60), known)
        if found is None:
            return None
        now = self._told(found, known)
        return id, {name: now[name] for name in inputs if name in now}, now

    def delete(self, ctx: Context, id: str, state: State) -> None:
        work = Work.of(ctx, self.product, self.deletion.seconds)
        work.found("DeleteObject", {"Bucket": state["bucket"], "Key": state["key"]})
        work.patience.until(lambda: True if self._head(work, state) is None else None, f"{id} to go")
