"""The LanguageRuntime service."""

import platform
import subprocess
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf.empty_pb2 import Empty

from offline.language.install import install
from offline.language.options import LanguageError, Options
from offline.language.packages import installed, required_plugins, top_level
from offline.language.plugins import run_plugin
from offline.language.process import stop_all
from offline.language.program import run_program
from offline.stubs import language_pb2, language_pb2_grpc, plugin_pb2


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Serves what preview, up, refresh, destroy, import and install ask for; refuses the rest by name."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def Handshake(  # noqa: N802
        self, request: language_pb2.LanguageHandshakeRequest, _context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, _request: Empty, _context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:  # noqa: N802
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def GetRequiredPackages(  # noqa: N802
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        with Refusals(context):
            return language_pb2.GetRequiredPackagesResponse(
                packages=required_plugins(installed(_options(request.info)))
            )

    def GetProgramDependencies(  # noqa: N802
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        with Refusals(context):
            packages = installed(_options(request.info), requirements=not request.transitiveDependencies)
            if not request.transitiveDependencies:
                packages = top_level(packages)
            return language_pb2.GetProgramDependenciesResponse(
                dependencies=[
                    language_pb2.DependencyInfo(name=package.name, version=package.version)
                    for package in packages
                ]
            )

    def Run(  # noqa: N802
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        with Refusals(context):
            return run_program(request, self._engine, context)

    def RunPlugin(  # noqa: N802
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        with Refusals(context):
            yield from run_plugin(request, context)

    def InstallDependencies(  # noqa: N802
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        with Refusals(context):
            if request.use_language_version_tools:
                raise LanguageError("--use-language-version-tools is not served by the offline Python host")
            options = _options(request.info, plugin=request.is_plugin)
            for line in install(options, Path(request.info.program_directory), plugin=request.is_plugin):
                if line.error:
                    yield language_pb2.InstallDependenciesResponse(stderr=line.data)
                else:
                    yield language_pb2.InstallDependenciesResponse(stdout=line.data)

    def About(  # noqa: N802
        self, request: language_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        with Refusals(context):
            options = _options(request.info)
            python = options.python()
            run = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
            return language_pb2.AboutResponse(
                executable=str(python),
                version=run.stdout.removeprefix("Python ").strip() or platform.python_version(),
                metadata={"toolchain": options.toolchain, "host": "berth offline"},
            )

    def RuntimeOptionsPrompts(  # noqa: N802
        self, _request: language_pb2.RuntimeOptionsRequest, _context: grpc.ServicerContext
    ) -> language_pb2.RuntimeOptionsResponse:
        return language_pb2.RuntimeOptionsResponse()  # the defaults need no question

    def Template(  # noqa: N802
        self, request: language_pb2.TemplateRequest, context: grpc.ServicerContext
    ) -> language_pb2.TemplateResponse:
        with Refusals(context):
            _options(request.info)
            return language_pb2.TemplateResponse()  # `install` takes a template's requirements.txt as it is

    def Cancel(self, _request: Empty, _context: grpc.ServicerContext) -> Empty:  # noqa: N802
        stop_all()
        return Empty()

    def GenerateProgram(self, _request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        _refuse(
            context, "GenerateProgram (code for imported or converted resources; try --generate-code=false)"
        )

    def GenerateProject(self, _request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        _refuse(context, "GenerateProject (pulumi convert)")

    def GeneratePackage(self, _request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        _refuse(context, "GeneratePackage (pulumi package add, gen-sdk)")

    def Pack(self, _request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        _refuse(context, "Pack (pulumi package pack-sdk)")

    def Link(self, _request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        _refuse(context, "Link (pulumi package add)")

    def GetRequiredPlugins(self, _request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        _refuse(context, "GetRequiredPlugins (replaced by GetRequiredPackages; the Pulumi CLI is too old)")


class Refusals:
    """Turns a LanguageError into the call's failure, so that the engine shows its text alone."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, LanguageError):
            self._context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def _options(info: language_pb2.ProgramInfo, *, plugin: bool = False) -> Options:
    return Options.parse(info.root_directory, dict(info.options), plugin=plugin)


def _refuse(context: grpc.ServicerContext, what: str) -> NoReturn:
    abort: Callable[..., NoReturn] = context.abort
    abort(
        grpc.StatusCode.UNIMPLEMENTED,
        f"{what} is not served by the offline Python host; install the official Pulumi CLI for it",
    )
