"""Serves the rules to the engine: the Analyzer protocol over gRPC.

It speaks the protocol itself instead of through `pulumi-policy`, for three reasons. The engine marks secrets,
which `pulumi-policy` strips before a rule can see them. One unknown value ends a whole `pulumi-policy` rule;
here every value that is known is judged, and every one that is not is named. And the generated messages alone
load in half the time of the SDK, which counts where the language host starts the pack directly.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Final

import grpc


def _bare_packages() -> None:
    """Let `pulumi.runtime.proto.X` be imported without the packages above it, unless they are loaded."""
    if "pulumi" in sys.modules:
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "the 'pulumi' package is not installed in the policy pack's environment; run ./berth setup"
        )
    root = spec.submodule_search_locations[0]
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        package = ModuleType(name)
        package.__path__ = [root + name.removeprefix("pulumi").replace(".", "/")]
        sys.modules[name] = package


_bare_packages()

from google.protobuf import empty_pb2  # noqa: E402
from pulumi.runtime.proto import analyzer_pb2 as messages  # noqa: E402
from pulumi.runtime.proto import analyzer_pb2_grpc, plugin_pb2  # noqa: E402

from policies.node import inputs  # noqa: E402
from policies.rule import Pending, Rule, Violation, undecided  # noqa: E402

# The engine's own bound (400 MiB): the inputs of a resource may hold whole files.
_OPTIONS: Final = [("grpc.max_receive_message_length", 400 * 1024 * 1024)]

_PARENT_CHECK: Final = 1.0  # seconds


RulesOf = Callable[[Mapping[str, str]], Sequence[Rule]]
"""Rules for a stack of this configuration: plain values by full key."""


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """Applies the rules to each resource. Every rule is mandatory."""

    def __init__(self, name: str, version: str, rules: RulesOf) -> None:
        self._name = name
        self._version = version
        self._of = rules
        self._rules = rules({})

    def Analyze(self, request: messages.AnalyzeRequest, _context: object) -> messages.AnalyzeResponse:  # noqa: N802
        """The violations of one resource, and as advice the values that are not known yet."""
        properties = inputs(request.properties)
        response = messages.AnalyzeResponse()
        for rule in self._rules:
            findings = rule.findings(request.type, properties)
            for finding in findings:
                if isinstance(finding, Violation):
                    self._report(
                        response, rule, request.urn, finding.message(request.name), messages.MANDATORY
                    )
            pending = [finding.path for finding in findings if isinstance(finding, Pending)]
            if pending:
                self._report(response, rule, request.urn, undecided(request.name, pending), messages.ADVISORY)
        return response

    def _report(
        self,
        response: messages.AnalyzeResponse,
        rule: Rule,
        urn: str,
        message: str,
        level: messages.EnforcementLevel.ValueType,
    ) -> None:
        mandatory = level == messages.MANDATORY
        response.diagnostics.append(
            messages.AnalyzeDiagnostic(
                policyName=rule.name,
                policyPackName=self._name,
                policyPackVersion=self._version,
                description=rule.description,
                message=message,
                enforcementLevel=level,
                severity=messages.POLICY_SEVERITY_HIGH if mandatory else messages.POLICY_SEVERITY_LOW,
                urn=urn,
            )
        )

    def AnalyzeStack(self, _request: object, _context: object) -> messages.AnalyzeResponse:  # noqa: N802
        """Nothing: no rule is about a stack as a whole."""
        return messages.AnalyzeResponse()

    def Remediate(self, _request: object, _context: object) -> messages.RemediateResponse:  # noqa: N802
        """Nothing: a rule stops a change, it never rewrites it."""
        return messages.RemediateResponse()

    def GetAnalyzerInfo(self, _request: object, _context: object) -> messages.AnalyzerInfo:  # noqa: N802
        """The pack and its rules. Without support for configuration the engine refuses to weaken one."""
        return messages.AnalyzerInfo(
            name=self._name,
            version=self._version,
            supportsConfig=False,
            policies=[
                messages.PolicyInfo(
                    name=rule.name,
                    description=rule.description,
                    enforcementLevel=messages.MANDATORY,
                    severity=messages.POLICY_SEVERITY_HIGH,
                    policy_type=messages.POLICY_TYPE_RESOURCE,
                )
                for rule in self._rules
            ],
        )

    def GetPluginInfo(self, _request: object, _context: object) -> plugin_pb2.PluginInfo:  # noqa: N802
        """The pack's version."""
        return plugin_pb2.PluginInfo(version=self._version)

    def Handshake(self, _request: object, _context: object) -> messages.AnalyzerHandshakeResponse:  # noqa: N802
        """Agreement: the pack needs nothing from the engine."""
        return messages.AnalyzerHandshakeResponse()

    def ConfigureStack(  # noqa: N802
        self, request: messages.AnalyzerStackConfigureRequest, _context: object
    ) -> messages.AnalyzerStackConfigureResponse:
        """Before the first resource: the rules become those for this stack."""
        self._rules = self._of(dict(request.config))
        return messages.AnalyzerStackConfigureResponse()

    def Cancel(self, _request: object, _context: object) -> empty_pb2.Empty:  # noqa: N802
        """Agreement: a rule is over before a cancellation could reach it."""
        return empty_pb2.Empty()


def serve(name: str, version: str, rules: RulesOf) -> None:
    """Serve the rules on a free loopback port, print it for the engine, and stay until the engine ends it.

    Or until whoever started the pack is gone: a killed engine ends nobody. Should that be so from the start,
    there is no one to print the port to, which fails.
    """
    parent = os.getppid()
    server = grpc.server(ThreadPoolExecutor(max_workers=2), options=_OPTIONS)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(name, version, rules), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        # It returns true when the time is over.
        while server.wait_for_termination(_PARENT_CHECK) and os.getppid() == parent:
            pass
    server.stop(0)
