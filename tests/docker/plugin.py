"""A client of the docker plugin, for tests: it speaks gRPC as the Pulumi engine does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import empty_pb2

from offline.provider import values
from offline.provider.check import DEFAULTS, META
from offline.provider.resource import UNKNOWN
from offline.stubs import provider_pb2, provider_pb2_grpc

Properties = dict[str, Any]
LIMIT = [("grpc.max_receive_message_length", 400 * 1024 * 1024)]


class CheckFailed(AssertionError):  # noqa: N818 - what it says is what happened
    """The plugin refused inputs; `failures` maps property paths to reasons."""

    def __init__(self, failures: dict[str, str]) -> None:
        self.failures = failures
        super().__init__(str(failures))


@dataclass
class Made:
    """A resource as the engine would have it in its state."""

    token: str
    name: str
    id: str
    inputs: Properties
    state: Properties


@dataclass
class Diff:
    """An answer to Diff: `paths` maps each path of the detailed diff to its kind (`UPDATE_REPLACE`)."""

    paths: dict[str, str]
    replaces: list[str]
    diffs: list[str]
    delete_before_replace: bool

    def __bool__(self) -> bool:
        return bool(self.paths or self.diffs)


class PluginClient:
    """One call per method. Inputs go through Check first, as the engine does it."""

    def __init__(self, port: int) -> None:
        self.stub = provider_pb2_grpc.ResourceProviderStub(
            grpc.insecure_channel(f"127.0.0.1:{port}", options=LIMIT)
        )

    def configure(self, **config: Any) -> None:
        self.stub.Configure(provider_pb2.ConfigureRequest(args=values.encode(config), acceptSecrets=True))

    def check(
        self,
        token: str,
        inputs: Mapping[str, Any],
        *,
        olds: Mapping[str, Any] | None = None,
        name: str = "test",
    ) -> Properties:
        """Checked inputs. Raises CheckFailed."""
        request = provider_pb2.CheckRequest(
            **_who(token, name),
            news=values.encode(inputs),
            olds=values.encode(olds or {}),
            randomSeed=hashlib.sha256(name.encode()).digest(),
        )
        answer = self.stub.Check(request)
        if answer.failures:
            raise CheckFailed({failure.property: failure.reason for failure in answer.failures})
        return values.decode(answer.inputs)

    def create(
        self, token: str, inputs: Mapping[str, Any], *, name: str = "test", timeout: float = 0
    ) -> Made:
        checked = self.check(token, inputs, name=name)
        answer = self.stub.Create(
            provider_pb2.CreateRequest(
                **_who(token, name), properties=values.encode(checked), timeout=timeout
            )
        )
        return Made(token, name, answer.id, checked, values.decode(answer.properties))

    def preview(self, token: str, inputs: Mapping[str, Any], *, name: str = "test") -> Properties:
        """The outputs that a preview foresees for a new resource."""
        checked = self.check(token, inputs, name=name)
        request = provider_pb2.CreateRequest(
            **_who(token, name), properties=values.encode(checked), preview=True
        )
        return values.decode(self.stub.Create(request).properties)

    def diff(self, made: Made, inputs: Mapping[str, Any], *, ignore: Sequence[str] = ()) -> Diff:
        checked = self.check(made.token, inputs, olds=made.inputs, name=made.name)
        answer = self.stub.Diff(
            provider_pb2.DiffRequest(
                **_who(made.token, made.name),
                id=made.id,
                olds=values.encode(made.state),
                old_inputs=values.encode(made.inputs),
                news=values.encode(checked),
                ignoreChanges=ignore,
            )
        )
        kinds = provider_pb2.PropertyDiff.Kind
        return Diff(
            paths={path: kinds.Name(change.kind) for path, change in answer.detailedDiff.items()},
            replaces=list(answer.replaces),
            diffs=list(answer.diffs),
            delete_before_replace=answer.deleteBeforeReplace,
        )

    def update(self, made: Made, inputs: Mapping[str, Any], *, timeout: float = 0) -> Made:
        checked = self.check(made.token, inputs, olds=made.inputs, name=made.name)
        answer = self.stub.Update(
            provider_pb2.UpdateRequest(
                **_who(made.token, made.name),
                id=made.id,
                olds=values.encode(made.state),
                old_inputs=values.encode(made.inputs),
                news=values.encode(checked),
                timeout=timeout,
            )
        )
        return Made(made.token, made.name, made.id, checked, values.decode(answer.properties))

    def read(self, made: Made) -> Made | None:
        """Refresh; None when it is gone."""
        answer = self.stub.Read(
            provider_pb2.ReadRequest(
                **_who(made.token, made.name),
                id=made.id,
                inputs=values.encode(made.inputs),
                properties=values.encode(made.state),
            )
        )
        if not answer.id:
            return None
        return Made(
            made.token, made.name, answer.id, values.decode(answer.inputs), values.decode(answer.properties)
        )

    def import_(self, token: str, id: str, *, name: str = "test") -> Made | None:
        return self.read(Made(token, name, id, {}, {}))

    def delete(self, made: Made, *, timeout: float = 0) -> None:
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                **_who(made.token, made.name),
                id=made.id,
                properties=values.encode(made.state),
                timeout=timeout,
            )
        )

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Properties:
        answer = self.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=values.encode(arguments)))
        if answer.failures:
            raise CheckFailed({failure.property: failure.reason for failure in answer.failures})
        return values.decode(getattr(answer, "return"))

    def cancel(self) -> None:
        self.stub.Cancel(empty_pb2.Empty())


def plain(properties: Mapping[str, Any]) -> Properties:
    """Properties without the plugin's own bookkeeping, secrets revealed."""
    revealed = values.reveal(dict(properties))
    return {key: value for key, value in revealed.items() if key not in (DEFAULTS, META)}


def _who(token: str, name: str) -> dict[str, str]:
    return {"urn": f"urn:pulumi:test::berth::{token}::{name}", "type": token, "name": name}


__all__ = ["UNKNOWN", "CheckFailed", "Diff", "Made", "PluginClient", "plain"]
