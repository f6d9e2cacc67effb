"""Run: the user's program in a process of its own, with the settings that the engine gives it."""

import json
from pathlib import Path

import grpc

from offline.language.options import Options
from offline.language.process import Child
from offline.language.runner import INTERRUPTED, SHOWN
from offline.stubs import language_pb2

RUNNER = Path(__file__).with_name("runner.py")
# Linux takes at most 32 pages for one environment string, and fails the whole start above that.
_ENV_LIMIT = 128 * 1024 - 64


def run_program(
    request: language_pb2.RunRequest, engine: str, context: grpc.ServicerContext
) -> language_pb2.RunResponse:
    """Runs the program to its end. Its output goes where the host's goes: to the engine, line by line."""
    if request.attach_debugger:
        return language_pb2.RunResponse(
            error="--attach-debugger is not served by the offline Python host; use the official Pulumi CLI"
        )
    options = Options.parse(request.info.root_directory, dict(request.info.options))
    env = options.environ()
    config, secret_keys = json.dumps(dict(request.config)), json.dumps(list(request.configSecretKeys))
    # For libraries that look there themselves. The program gets its configuration in any case, through stdin.
    for name, value in (("PULUMI_CONFIG", config), ("PULUMI_CONFIG_SECRET_KEYS", secret_keys)):
        if len(value) < _ENV_LIMIT:
            env[name] = value
    child = Child(
        [options.python(), "-u", RUNNER],
        cwd=request.pwd,
        env=env,
        text=json.dumps(
            {
                "program": request.info.entry_point,
                "args": list(request.args),
                "pwd": request.pwd,
                "config": dict(request.config),
                "secret_keys": list(request.configSecretKeys),
                "settings": {
                    "monitor": request.monitor_address,
                    "engine": engine,
                    "project": request.project,
                    "stack": request.stack,
                    "parallel": request.parallel,
                    "dry_run": request.dryRun,
                    "organization": request.organization,
                    "root_directory": request.info.root_directory,
                },
            }
        ),
    )
    if not context.add_callback(child.stop):  # the engine has already given up
        child.stop()
    return _outcome(child.wait(), cancelled=child.cancelled)


def _outcome(status: int, *, cancelled: bool) -> language_pb2.RunResponse:
    if status == 0:
        return language_pb2.RunResponse()
    if status == SHOWN or (cancelled and status in (INTERRUPTED, -2, -9, -15)):
        return language_pb2.RunResponse(bail=True)
    if status < 0:
        return language_pb2.RunResponse(error=f"program was ended by signal {-status}")
    return language_pb2.RunResponse(error=f"program exited with non-zero exit code: {status}")
