"""`./berth preflight` on an engine that takes itself for one of a host with GPUs; its container that asks."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, NotFound

from ops import one_shot, preflight
from ops.errors import UserError
from stacks import gpu_host
from tests.docker.images import busybox_rootfs
from tests.docker.preflight_hosts import TRAINER, Host, Stacks, host_with_gpus, import_without_shell
from tests.engine.workbench import wait_for

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def gpus() -> Iterator[Host]:
    with host_with_gpus() as host:
        yield host


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    return Stacks(tmp_path, monkeypatch)


def test_a_gpu_inside_docker_is_found_and_nothing_is_left(gpus: Host, stacks: Stacks) -> None:
    gpus.mode("works")
    for file in (gpus.home / "seen").iterdir():
        file.unlink()
    with gpus.unchanged():
        found = stacks.look(gpus.url)
    # Whether this machine has the room is another question.
    grades = {what: it.grade for what, it in found.items() if what not in ("disk", "memory")}
    assert grades.pop("settings") == "later" and set(grades.values()) == {"ok"}, found
    assert found["NVIDIA driver"].found.startswith("535.104.05")
    assert found["container toolkit"].found == "the engine has the runtime nvidia"
    assert found["GPU inside Docker"].found == f"/dev/nvidia0 (in a container of {TRAINER})"
    assert (gpus.home / "seen" / "hook").read_text().split() == ["prestart"], "asked once"
    assert "create" in (gpus.home / "seen" / "runtime").read_text()


def test_a_gpu_that_the_driver_refuses_is_told_in_its_words(gpus: Host, stacks: Stacks) -> None:
    gpus.mode("refuses")
    with gpus.unchanged():
        found = stacks.look(gpus.url)["GPU inside Docker"]
    assert found.grade == "missing" and found.fix
    assert "nvml error: driver not loaded" in found.found and TRAINER in found.found


def test_a_container_without_the_gpu_that_it_asked_for_is_no_success(gpus: Host, stacks: Stacks) -> None:
    gpus.mode("nothing")
    with gpus.unchanged():
        found = stacks.look(gpus.url)["GPU inside Docker"]
    assert found.grade == "missing" and "has no GPU" in found.found and "nvidia-ctk" in found.fix


def test_cdi_needs_an_engine_that_knows_it(gpus: Host, stacks: Stacks) -> None:
    stacks.gpu(gpu={"kind": "cdi", "names": ["nvidia.com/gpu=all"]})
    found = stacks.look(gpus.url)
    assert found["container toolkit"].grade == "missing" and "Docker 25" in found["container toolkit"].fix
    assert found["GPU inside Docker"].grade == "missing"


@pytest.mark.parametrize(
    ("driver", "cuda", "told"),
    [
        ("449.9", None, "449.9 is too old"),
        ("450.80", "12.1", "CUDA 12.1 needs the NVIDIA driver 530"),
        ("529.9", "12.1", "CUDA 12.1 needs the NVIDIA driver 530"),
    ],
)
def test_a_driver_that_is_too_old_is_to_be_upgraded(
    gpus: Host, stacks: Stacks, monkeypatch: pytest.MonkeyPatch, driver: str, cuda: str | None, told: str
) -> None:
    gpus.mode("works")
    monkeypatch.setattr(gpu_host, "driver", lambda: driver)
    stacks.gpu(cuda=cuda)
    found = stacks.look(gpus.url)
    assert found["NVIDIA driver"].grade == "missing" and told in found["NVIDIA driver"].found
    assert found["settings"].grade == "later" and found["GPU inside Docker"].grade == "ok", "told once"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_look_leaves_nothing(gpus: Host, stacks: Stacks, number: signal.Signals) -> None:
    gpus.mode("slow")
    seen = gpus.home / "seen" / "hook"
    seen.unlink(missing_ok=True)
    with gpus.unchanged():
        command = stacks.start(gpus.url)
        try:
            wait_for(seen.exists, what="a container that is being started")
            assert gpus.engine.api.containers(all=True), "there is one to be removed"
            command.send_signal(number)
            gpus.go()
            _, said = command.communicate(timeout=60)
        finally:
            command.kill()
            command.wait()
    assert command.returncode == 130 and "Traceback" not in said, said


def test_a_second_interrupt_waits_for_nothing_and_names_what_may_be_left(gpus: Host, stacks: Stacks) -> None:
    """Its removal waits as long as the hook keeps the engine from starting it."""
    gpus.mode("slow")
    seen = gpus.home / "seen" / "hook"
    seen.unlink(missing_ok=True)
    with gpus.unchanged():
        command = stacks.start(gpus.url)
        try:
            wait_for(seen.exists, what="a container that is being started")
            command.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                command.wait(timeout=0.5)
            command.send_signal(signal.SIGINT)
            _, said = command.communicate(timeout=60)
        finally:
            command.kill()
            command.wait()
            gpus.go()
            _remove_asking(gpus)
    assert command.returncode == 130 and "Traceback" not in said, said
    assert "docker rm -f -v berth-preflight-" in said


def _remove_asking(host: Host) -> None:
    """The containers of looks that may be left, as their documentation says how they are found."""
    left = host.engine.containers.list(
        all=True, filters={"label": one_shot.LABEL}, ignore_removed=True, sparse=True
    )
    for container in left:
        with suppress(NotFound, APIError):  # the engine still removes it
            container.remove(force=True, v=True)
    wait_for(
        lambda: not host.engine.api.containers(all=True, filters={"label": one_shot.LABEL}),
        what="no container of a look is left",
    )


def test_a_hook_that_hangs_ends_the_look_and_what_may_be_left_is_named(
    gpus: Host, stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus.mode("slow")
    monkeypatch.setattr(one_shot, "DEADLINE", 5)
    with gpus.unchanged():
        try:
            stacks.look(gpus.url)
            found = preflight.examine(stacks.name)
        finally:
            gpus.go()
            _remove_asking(gpus)
    causes = [(it.found, it.fix) for it in found if it.what == "GPU"]
    assert "was not started, or did not end, within 5 s" in causes[0][0], causes
    assert "may be left" in causes[1][0] and causes[1][1].startswith("docker rm -f -v berth-preflight-")


def test_an_image_without_a_shell_is_passed_over(gpus: Host, stacks: Stacks) -> None:
    gpus.mode("works")
    name, base = "no/shell:1", "berth/base:1"
    stacks.gpu(app={"image": {"source": "registry", "reference": name}})
    import_without_shell(gpus.engine, name)
    try:
        with gpus.unchanged():
            alone = stacks.look(gpus.url)["GPU inside Docker"]
        gpus.engine.api.import_image_from_data(busybox_rootfs(), repository="berth/base", tag="1")
        try:
            with gpus.unchanged():
                found = stacks.look(gpus.url)["GPU inside Docker"]
        finally:
            gpus.engine.images.remove(base)
    finally:
        gpus.engine.images.remove(name)
    assert alone.grade == "unknown" and f"a container of {name} cannot be started" in alone.found, alone
    assert (found.grade, found.found) == ("ok", f"/dev/nvidia0 (in a container of {base})")


def test_a_signal_while_a_container_is_made_waits_for_its_removal(
    gpus: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    real: Any = gpus.engine.api.create_container_from_config

    def create(config: dict[str, Any], name: str) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        answer = real(config, name)
        made.append(name)
        return answer

    monkeypatch.setattr(gpus.engine.api, "create_container_from_config", create)
    before = signal.getsignal(signal.SIGTERM)
    with gpus.unchanged(), pytest.raises(KeyboardInterrupt):
        one_shot.ask(gpus.engine, TRAINER, "exit 0", host={}, stack="a")
    assert made, "it was made, whatever came"
    assert signal.getsignal(signal.SIGTERM) == before


def test_it_may_write_nothing_and_is_nobody(gpus: Host) -> None:
    script = "id -u; touch /x 2>&1; grep CapEff /proc/self/status; ls /data; exit 7"
    with gpus.unchanged():
        status, said = one_shot.ask(gpus.engine, TRAINER, script, host={}, stack="a")
    assert status == 7
    assert said.startswith("65534\n") and "Read-only file system" in said
    assert "CapEff:\t0000000000000000" in said


def test_one_that_does_not_end_is_ended(gpus: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_shot, "DEADLINE", 10)
    with gpus.unchanged(), pytest.raises(UserError, match="did not end, within 10 s"):
        one_shot.ask(gpus.engine, TRAINER, "sleep 1000", host={}, stack="a")
