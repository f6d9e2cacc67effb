"""What a look does with signals and with an engine that is lost, before any container is made."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from ops import one_shot


@pytest.fixture
def lost() -> Iterator[Any]:
    """A client of an engine that is gone: nobody listens at its address."""
    client = docker.DockerClient(base_url="tcp://127.0.0.1:1", version="1.41", timeout=77)
    yield client
    client.close()


def test_a_container_that_an_engine_may_have_is_named_when_the_engine_is_lost(lost: Any) -> None:
    started = time.monotonic()
    with pytest.raises(one_shot.LeftBehindError, match=r"berth-preflight-\w+ .*may be left") as left:
        one_shot.ask(lost, "x", "exit 0", host={}, stack="a")
    assert left.value.fix.startswith("docker rm -f -v berth-preflight-")
    assert time.monotonic() - started < 10
    assert lost.api.timeout == 77, "as it was before"


def test_an_interrupt_is_kept_where_the_removal_fails(
    lost: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real: Any = lost.api.create_container_from_config

    def create(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*args)

    monkeypatch.setattr(lost.api, "create_container_from_config", create)
    with pytest.raises(KeyboardInterrupt):
        one_shot.ask(lost, "x", "exit 0", host={}, stack="a")
    assert "docker rm -f -v berth-preflight-" in capsys.readouterr().err


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with one_shot._Interrupts() as interrupts, interrupts.allowed():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_ctrl_c_is_not_held_back_and_a_second_signal_is() -> None:
    with pytest.raises(KeyboardInterrupt), one_shot._Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        held = True
        os.kill(os.getpid(), signal.SIGINT)
        held = False
    assert held


@pytest.mark.parametrize(
    ("said", "shell"),
    [
        ('exec: "sh": executable file not found in $PATH: unknown', False),
        ("OCI runtime error: crun: executable file `sh` not found in $PATH", False),
        ('exec: "nvidia-container-runtime-hook": executable file not found in $PATH', True),
        ("nvidia-container-cli: initialization error: nvml error", True),
    ],
)
def test_which_refusal_is_for_want_of_a_shell(said: str, shell: bool) -> None:
    assert (one_shot._NO_SHELL.search(said) is None) == shell
