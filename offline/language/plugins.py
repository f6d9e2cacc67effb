"""RunPlugin: plugins written in Python, that is policy packs and component or provider plugins."""

import json
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grpc

from offline.language.options import LanguageError, Options
from offline.language.policy import PolicyProxy
from offline.language.process import Child
from offline.language.streams import Line, stream
from offline.stubs import analyzer_pb2, language_pb2

_POLICY_PACK = "analyzer"
_ENV_LIMIT = 128 * 1024 - 64


def run_plugin(
    request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
) -> Iterator[language_pb2.RunPluginResponse]:
    """Runs the plugin to its end, yielding its output and at last its exit code."""
    if request.attach_debugger:
        raise LanguageError("--attach-debugger is not served by the offline Python host")
    policy = request.kind == _POLICY_PACK
    options = Options.parse(request.info.root_directory, dict(request.info.options), plugin=not policy)
    env = options.environ() | dict(entry.partition("=")[::2] for entry in request.env)
    env["PATH"] = options.environ()["PATH"]
    running = (
        _policy_pack(request, options, env, context) if policy else _plugin(request, options, env, context)
    )
    for item in running:
        if isinstance(item, int):
            yield language_pb2.RunPluginResponse(exitcode=item)
        elif item.error:
            yield language_pb2.RunPluginResponse(stderr=item.data)
        else:
            yield language_pb2.RunPluginResponse(stdout=item.data)


def _plugin(
    request: language_pb2.RunPluginRequest,
    options: Options,
    env: dict[str, str],
    context: grpc.ServicerContext,
) -> Iterator[Line | int]:
    root, folder = options.root, request.info.program_directory
    if (root / "__main__.py").is_file():
        command: list[str | Path] = [options.python(), folder, *request.args]
    else:
        command = [options.python(), "-m", "pulumi.run.plugin", _project_name(root), *request.args]
    child = Child(command, cwd=request.pwd, env=env, capture=True)
    context.add_callback(child.stop)
    yield from stream(child)
    yield child.wait()


def _policy_pack(
    request: language_pb2.RunPluginRequest,
    options: Options,
    env: dict[str, str],
    context: grpc.ServicerContext,
) -> Iterator[Line | int]:
    wanted = threading.Event()
    wanted.set()
    context.add_callback(wanted.clear)
    python = options.python()
    proxy = PolicyProxy()
    try:
        yield Line(f"{proxy.port}\n".encode())
        configuration = proxy.configuration(wanted)
        if not wanted.is_set():
            return
        if configuration is not None:
            env |= _stack_environment(configuration)
        folder = request.info.program_directory
        child = Child(
            [python, "-u", "-m", "pulumi.policy", *request.args, folder], cwd=folder, env=env, capture=True
        )
        context.add_callback(child.stop)
        serving = False
        for line in stream(child):
            if not serving and not line.error and line.data.strip().isdigit():
                proxy.attach(int(line.data))
                serving = True
            else:
                yield line
        if not serving:
            proxy.tell(f"the policy pack {folder} ended without serving; its output tells why")
        yield child.wait()
    except LanguageError as error:
        proxy.tell(str(error))
        raise
    finally:
        proxy.fail("the policy pack has ended")
        proxy.close()


def _stack_environment(stack: analyzer_pb2.AnalyzerStackConfigureRequest) -> dict[str, str]:
    """What the policy library reads at its start."""
    config = json.dumps(dict(stack.config))
    if len(config) > _ENV_LIMIT:
        raise LanguageError(
            f"the stack's configuration is {len(config) // 1024} KiB; a policy pack takes at most 127 KiB"
        )
    values = {
        "PULUMI_ORGANIZATION": stack.organization,
        "PULUMI_PROJECT": stack.project,
        "PULUMI_STACK": stack.stack,
        "PULUMI_DRY_RUN": "true" if stack.dry_run else "false",
        "PULUMI_CONFIG": config,
    }
    return {key: value for key, value in values.items() if value}


def _project_name(root: Path) -> str:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["name"])
    except (FileNotFoundError, KeyError, tomllib.TOMLDecodeError) as error:
        raise LanguageError(
            f"the plugin in {root} has neither __main__.py nor a pyproject.toml with a project name"
        ) from error
