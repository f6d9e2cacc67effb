"""Runs a Pulumi program without an engine and tells what it registered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc

SECRET = "<secret>"


@dataclass(frozen=True)
class Registration:
    """One resource as the engine would have got it; secrets are masked, unset options left out."""

    urn: str
    inputs: dict[str, Any]
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def type(self) -> str:
        return self.urn.split("::")[2].rpartition("$")[2]


class _Provider(mocks.Mocks):
    """Answers as the Docker provider does where a program reads outputs."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        outputs = dict(args.inputs)
        if args.custom and args.typ != "docker:index/image:Image":
            outputs.setdefault("name", f"{args.name}-0000000")
        if args.typ == "docker:index/remoteImage:RemoteImage":
            outputs["imageId"] = f"sha256:{args.inputs['name']}"
        if args.inputs.get("attach"):
            outputs |= {"exitCode": self.exit_code, "containerLogs": "the last line"}
        if args.typ == "pulumi:pulumi:StackReference":
            outputs["outputs"] = {"systems": {"gateway": {"networks": ["from-another-stack"]}}}
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        return {"id": "an-id", **args.args}, []

    exit_code = 0


class _Recorder(mocks.MockMonitor):
    def __init__(self, provider: _Provider) -> None:
        super().__init__(provider)
        self.registrations: list[Registration] = []

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine makes it: with the types of all parents but the stack."""
        parents = parent.split("::")[2] if parent else ""
        chain = type_ if parents in ("", "pulumi:pulumi:Stack") else f"{parents}${type_}"
        return f"urn:pulumi:dev::berth::{chain}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  (named by gRPC)
        response = super().RegisterResource(request)
        if request.type == "pulumi:pulumi:Stack":  # made once per process, by whichever program comes first
            return response
        options = {
            "depends_on": sorted(urn.rpartition("::")[2] for urn in _explicit(request)),
            "protect": request.protect,
            "retain_on_delete": request.retainOnDelete,
            "replace_on_changes": sorted(request.replaceOnChanges),
            "provider": request.provider.rpartition("::")[0].rpartition("::")[2],
        }
        if request.deleteBeforeReplaceDefined:
            options["delete_before_replace"] = request.deleteBeforeReplace
        inputs = _masked(rpc.deserialize_properties(request.object))
        kept = {key: value for key, value in options.items() if value or key == "delete_before_replace"}
        self.registrations.append(Registration(response.urn, inputs, kept))
        return response


def _explicit(request: Any) -> set[str]:
    """Dependencies that no input brings along."""
    by_input = {urn for entry in request.propertyDependencies.values() for urn in entry.urns}
    return set(request.dependencies) - by_input


def _masked(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return SECRET
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@contextmanager
def _own_loop() -> Iterator[None]:
    """An event loop for one program: any test before may have closed or unset the thread's."""
    loop = asyncio.new_event_loop()
    # A failed output fails all that were made of it: one is raised, the others need no traceback.
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def register(program: Callable[[], object], *, exit_code: int = 0) -> list[Registration]:
    """What `program` registers, in the order of URNs."""
    provider = _Provider()
    provider.exit_code = exit_code
    recorder = _Recorder(provider)
    with _own_loop():
        mocks.set_mocks(provider, project="berth", stack="dev", preview=False, monitor=recorder)
        pulumi.runtime.test(program)()
    return sorted(recorder.registrations, key=lambda registration: registration.urn)
