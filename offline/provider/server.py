"""The ResourceProvider service: gRPC in front of the resources."""

# ruff: noqa: ARG002, N802 - gRPC names the methods and passes both arguments to each

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2

from offline.provider import answers, check, difference, values
from offline.provider.cancellation import Cancellation
from offline.provider.failure import fail
from offline.provider.journal import Journal
from offline.provider.resource import (
    CheckFailure,
    Context,
    Difference,
    Field,
    Resource,
    ResourceError,
)
from offline.provider.schema import Shape
from offline.provider.values import Secret
from offline.stubs import plugin_pb2, provider_pb2, provider_pb2_grpc

Function = Callable[[Context, dict[str, Any]], dict[str, Any]]


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Serves an engine's requests, many at a time. A plugin says in a subclass what it serves.

    name: as tokens begin with it. document: the module that knows the official schema. config: the fields
    of the provider's own config.
    """

    name: str
    document: Any
    config: Mapping[str, Field]

    def __init__(self, engine_address: str | None = None) -> None:
        """engine_address: where the Pulumi engine takes log messages; None when nobody listens."""
        self.engine: Any = None  # what stands behind the resources, once it is configured
        self.cancellation = Cancellation()
        self.journal = Journal(engine_address)
        self.secrets: set[str] = set()  # the text of every secret seen, to be kept out of messages
        self._compared: set[str] = set()  # URNs of what exists already, so that its creation is a replacement

    # --- what a plugin serves

    def resource(self, token: str) -> Resource:
        """The resource of a type token. Raises ResourceError for a type that is not served."""
        raise NotImplementedError

    def function(self, token: str) -> Function:
        """The function of a token. Raises ResourceError for one that is not served."""
        raise NotImplementedError

    def read_config(self, given: dict[str, Any]) -> tuple[dict[str, Any], list[CheckFailure]]:
        """The config as plain values, and what is wrong with it."""
        raise NotImplementedError

    def connect(self, config: dict[str, Any]) -> None:
        """Use this config from now on; nothing is reached before it is needed."""
        raise NotImplementedError

    def explain(self, error: BaseException) -> str:
        """One line of cause, and the next step where there is one."""
        raise NotImplementedError

    # --- the plugin itself

    def Handshake(self, request: Any, context: Any) -> Any:
        self.journal.attach(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, supports_autonaming_configuration=True
        )

    def Attach(self, request: Any, context: Any) -> Any:
        self.journal.attach(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self.document.VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:
        with self._answering(context):
            if request.version != 0:
                raise ResourceError(f"schema version {request.version} is not known; there is 0")
            return provider_pb2.GetSchemaResponse(schema=json.dumps(self.document.load()))

    def GetMapping(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetMappingsResponse()

    def Parameterize(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the {self.name} provider takes no parameters")

    def Construct(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the {self.name} provider has no components")

    def Call(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the {self.name} provider has no method {request.tok}")

    def List(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the {self.name} provider cannot list resources")

    def Cancel(self, request: Any, context: Any) -> Any:
        self.cancellation.cancel_all()
        return empty_pb2.Empty()

    # --- configuration

    def CheckConfig(self, request: Any, context: Any) -> Any:
        with self._answering(context):
            news, _ = self._take(request.news)
            _, failures = self.read_config(news)
            return provider_pb2.CheckResponse(inputs=request.news, failures=answers.failures(failures))

    def DiffConfig(self, request: Any, context: Any) -> Any:
        # The official provider never replaces what it made because it is reached in another way.
        with self._answering(context):
            old, _ = self._take(request.old_inputs)
            new, _ = self._take(request.news)
            changes = difference.compare(self.config, self.read_config(old)[0], self.read_config(new)[0])
            return answers.diff_response(changes)

    def Configure(self, request: Any, context: Any) -> Any:
        with self._answering(context):
            given, _ = self._take(request.args)
            config, failures = self.read_config(given)
            if failures:
                raise ResourceError("; ".join(f"{self.name}:{f.property}: {f.reason}" for f in failures))
            self.connect(config)
            return provider_pb2.ConfigureResponse(
                acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
            )

    # --- resources

    def Check(self, request: Any, context: Any) -> Any:
        with self._answering(context) as cancelled:
            served = self.resource(_type(request))
            marked = values.decode(request.news)
            news = values.reveal(marked, self.secrets)
            olds, _ = self._take(request.olds)
            shapes, required = self.document.inputs_of(served.type), self.document.required_of(served.type)
            failures = check.failures(served.fields, shapes, required, news)
            if failures:
                return provider_pb2.CheckResponse(inputs=request.news, failures=answers.failures(failures))
            given = check.convert(shapes, check.without_marks(news))
            inputs = dict(given)
            if served.bridged and check.is_autonamed(served.fields, required) and "name" not in given:
                inputs["name"] = _auto_name(request, olds)
            ctx = self._context(request, cancelled)
            inputs, failures = served.check(ctx, check.without_marks(olds), inputs)
            if served.bridged:
                inputs = check.with_defaults(served.fields, inputs)
                inputs[check.DEFAULTS] = sorted({*inputs} - {*given, check.DEFAULTS})
            return provider_pb2.CheckResponse(
                inputs=values.encode(values.mark(inputs, marked)), failures=answers.failures(failures)
            )

    def Diff(self, request: Any, context: Any) -> Any:
        with self._answering(context) as cancelled:
            served = self.resource(_type(request))
            self._compared.add(request.urn)
            state, _ = self._take(request.olds)
            news, _ = self._take(request.news)
            wanted = check.without_marks(news)
            own = served.diff(
                self._context(request, cancelled), request.id, check.without_marks(state), wanted
            )
            changes = (
                difference.compare(served.fields, state, wanted)
                if own is None
                else difference.changes(own, state.get("__inputs", state), wanted)
            )
            changes = [c for c in changes if not difference.ignored(c.path, request.ignoreChanges)]
            first = served.delete_before_replace or (own or Difference()).delete_before_replace
            response = answers.diff_response(changes, first or (served.bridged and check.has_own_name(news)))
            replaced = set(response.replaces)
            response.stables.extend(
                sorted(
                    name for name, field in served.fields.items() if field.replace and name not in replaced
                )
            )
            return response

    def Create(self, request: Any, context: Any) -> Any:
        with self._answering(context, partial=request.properties) as cancelled:
            served = self.resource(_type(request))
            inputs, marked = self._take(request.properties)
            inputs = check.without_marks(inputs)
            ctx = self._context(request, cancelled)
            if request.preview:
                if request.urn not in self._compared:
                    served.foresee(ctx, inputs)
                state = answers.foreseen(served, served.preview(ctx, inputs), {}, self._outputs(served))
                return provider_pb2.CreateResponse(properties=answers.recorded(served, state, marked))
            with answers.versioned(served):
                id, state = served.create(ctx, inputs)
            if not context.is_active():  # the engine is gone: what it never heard of, it would never remove
                served.undo(replace(ctx, cancelled=threading.Event()), id, state)
            return provider_pb2.CreateResponse(id=id, properties=answers.recorded(served, state, marked))

    def Read(self, request: Any, context: Any) -> Any:
        with self._answering(context) as cancelled:
            served = self.resource(_type(request))
            inputs, marked_inputs = self._take(request.inputs)
            state, marked_state = self._take(request.properties)
            found = served.read(
                self._context(request, cancelled),
                request.id,
                check.without_marks(inputs),
                check.without_marks(state),
            )
            if found is None:
                return provider_pb2.ReadResponse()
            id, new_inputs, new_state = found
            if served.bridged:
                new_inputs = answers.defaults_kept(new_inputs, inputs)
            return provider_pb2.ReadResponse(
                id=id,
                inputs=values.encode(values.mark(new_inputs, marked_inputs)),
                properties=answers.recorded(served, new_state, marked_inputs, marked_state),
            )

    def Update(self, request: Any, context: Any) -> Any:
        with self._answering(context, partial=request.news) as cancelled:
            served = self.resource(_type(request))
            old, _ = self._take(request.olds)
            news, marked = self._take(request.news)
            old, inputs = check.without_marks(old), check.without_marks(news)
            ctx = self._context(request, cancelled)
            if request.preview:
                foreseen = served.preview_update(ctx, request.id, old, inputs)
                state = answers.foreseen(served, foreseen, old, self._outputs(served))
            elif type(served).update is Resource.update:
                state = answers.unchanged(served, ctx, request.id, inputs)
            else:
                with answers.versioned(served):
                    state = served.update(ctx, request.id, old, inputs)
            return provider_pb2.UpdateResponse(properties=answers.recorded(served, state, marked))

    def Delete(self, request: Any, context: Any) -> Any:
        with self._answering(context) as cancelled:
            served = self.resource(_type(request))
            state, _ = self._take(request.properties)
            served.delete(self._context(request, cancelled), request.id, check.without_marks(state))
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        with self._answering(context) as cancelled:
            call = self.function(request.tok)
            arguments, marked = self._take(request.args)
            shapes = self.document.arguments_of(request.tok)
            failures = [
                CheckFailure(
                    property=name, reason=f"there is no such argument; there are {', '.join(sorted(shapes))}"
                )
                for name in arguments
                if name not in shapes
            ]
            if failures:
                return provider_pb2.InvokeResponse(failures=answers.failures(failures))
            answer = call(self._context(request, cancelled), check.convert(shapes, arguments))
            if values.has_secret(marked):
                answer = {name: Secret(value) for name, value in answer.items()}
            # `return` is a keyword here and a field name there
            response = provider_pb2.InvokeResponse()
            getattr(response, "return").CopyFrom(values.encode(answer))
            return response

    # --- shared

    def _outputs(self, served: Resource) -> Mapping[str, Shape]:
        shapes: Mapping[str, Shape] = self.document.outputs_of(served.type)
        return shapes

    def _take(self, struct: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Properties as plain values, and as they came with their secrets marked."""
        marked = values.decode(struct)
        return values.reveal(marked, self.secrets), marked

    def _context(self, request: Any, cancelled: threading.Event) -> Context:
        urn = getattr(request, "urn", "")
        return Context(
            engine=self.engine,
            urn=urn,
            log=lambda text: self.journal.status(urn, values.redact(text, self.secrets)),
            warn=lambda text: self.journal.warn(urn, values.redact(text, self.secrets)),
            cancelled=cancelled,
            timeout=getattr(request, "timeout", 0) or None,
        )

    @contextmanager
    def _answering(self, context: Any, partial: Any = None) -> Iterator[threading.Event]:
        """Every failure becomes a gRPC status with its cause; secrets stay out of it.

        Yields the flag that is set when the work is to end: on Ctrl-C, or because nobody takes the answer.
        """
        try:
            with self.cancellation.watch(context) as cancelled:
                yield cancelled
        except Exception as error:
            text = values.redact(self.explain(error), self.secrets)
            fail(context, error, text, values.decode(partial or _NOTHING))


_NOTHING: Final = provider_pb2.CheckRequest().news


def _type(request: Any) -> str:
    """The type token; engines older than the field have it in the URN only."""
    return str(request.type or request.urn.split("::")[2].split("$")[-1])


def _auto_name(request: Any, olds: Mapping[str, Any]) -> str:
    name = request.name or request.urn.split("::")[-1]
    mode = provider_pb2.CheckRequest.AutonamingOptions.Mode
    if request.HasField("autonaming"):
        if request.autonaming.mode == mode.Value("DISABLE"):
            raise ResourceError(f"'{name}' has no name, and automatic names are off", fix="set `name`")
        if "name" not in olds:
            return str(request.autonaming.proposed_name)
    return check.auto_name(name, request.randomSeed, olds)
