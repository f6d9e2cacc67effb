"""Room, ports and networks of a host against what a stack wants: what is judged of what was measured."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from components.containers.gpu import Gpu
from components.units import Address, Cidr
from ops import claimed, host_facts, room
from ops.engine import Engine
from ops.host_facts import HostFacts
from stacks.claims import NetworkClaim, PortClaim, SubnetClaim
from stacks.gpu_settings import GpuSettings
from stacks.host_needs import GB, GpuNeed, HostNeeds, together
from stacks.system import SystemSettings
from stacks.systems import SYSTEMS

GPU: TypeAdapter[Any] = TypeAdapter(Gpu)
HERE = HostFacts(here=True, memory=16 * GB, disk=100 * GB, root="/var/lib/docker")
FAR = replace(HERE, here=False)
UNTOLD = HostFacts(here=False, memory=16 * GB, root="/var/lib/docker", untold="nobody says")

# --- room


@given(st.integers(-(10**9), 10**9))
def test_20_gb_of_disk_and_8_gb_of_memory_are_enough_to_the_byte(offset: int) -> None:
    need = GpuSettings.model_validate({}).host_needs()
    assert (need.disk, need.memory) == (20_000_000_000, 8_000_000_000)
    enough = "ok" if offset >= 0 else "missing"
    assert room.disk(need.disk + offset, need.disk, "/d").grade == enough
    assert room.memory(need.memory + offset, need.memory, 0).grade == enough


def test_what_is_short_never_looks_like_enough() -> None:
    found = room.disk(20 * GB - 1, 20 * GB, "/var/lib/docker")
    assert found.found.startswith("19.9 GB free in /var/lib/docker") and "20.0 GB needed" in found.found
    assert "docker system df" in found.fix
    found = room.memory(8 * GB - 1, 8 * GB, 0)
    assert found.found.startswith("7.9 GB") and found.fix


def test_the_room_of_the_first_up_is_not_asked_of_a_stack_that_is_there() -> None:
    found = room.disk(20 * GB - 1, 20 * GB, "/var/lib/docker", up=True)
    assert found.grade == "later" and found.found.startswith("19.9 GB free") and "first up" in found.found
    assert room.disk(20 * GB, 20 * GB, "/var/lib/docker", up=True).grade == "ok"


def test_more_limits_than_memory_stand_in_nobodys_way() -> None:
    found = room.memory(8 * GB, 8 * GB, 8 * GB + 1)
    assert found.grade == "later" and "more than there is" in found.found and found.fix
    assert room.memory(8 * GB, 0, 8 * GB).grade == "ok"


def test_a_machine_that_is_sold_with_4_gib_carries_the_gateway_and_one_with_2_does_not() -> None:
    for mode in ("unified", "gateway", "processor"):
        need = TypeAdapter(SYSTEMS["gateway"].load_settings()).validate_python({"mode": mode}).host_needs()
        # What the kernel of an ECS instance with 4 GiB has left, and all of one with 2.
        assert room.memory(3733 << 20, need.memory, 0).grade == "ok", mode
        assert room.memory(2 << 30, need.memory, 0).grade == "missing", mode
        assert need.disk == 0 and need.gpu is None


def test_systems_on_one_host_need_the_room_of_both() -> None:
    gpu = GpuNeed.of(GPU.validate_python({}))
    one, other = HostNeeds(disk=3, memory=5, gpu=gpu), HostNeeds(disk=1, memory=2)
    assert together([other, one]) == HostNeeds(disk=4, memory=7, gpu=gpu)
    assert together([]) == HostNeeds()


def test_the_limits_of_all_services_and_replicas_are_counted() -> None:
    def limits(settings: dict[str, Any]) -> int:
        made: SystemSettings = GpuSettings.model_validate({"texts": {"kind": "built-in"}} | settings)
        return made.memory_limits()

    gib = 1 << 30
    alone = limits({})
    assert limits({"app": {"replicas": 3}}) == alone + 4 * gib
    assert limits({"app": {"memory": "5GiB"}}) == alone + 3 * gib
    assert limits({"postgres": {"memory": "2GiB"}}) == alone + 2 * gib


# --- ports


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 21 1 0 100 0 0 10 0
   1: 0500000A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0
   2: 0100007F:9C40 0100007F:0CEA 01 00000000:00000000 00:00000000 00000000     0        0 23 1 0 100 0 0 10 0
  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 0
   1: 00000000000000000000000001000000:1F4A 00000000000000000000000000000000:0000 0A 00000000:00000000 0
   2: 0000000000000000FFFF00000100007F:2328 00000000000000000000000000000000:0000 0A 00000000:00000000 0
"""


def test_listeners_are_read_as_the_kernel_writes_them() -> None:
    assert set(host_facts.listening(TCP)) == {
        ("127.0.0.1", 3306),
        ("10.0.0.5", 80),
        ("0.0.0.0", 443),
        ("127.0.0.1", 9000),
    }


def test_a_host_that_is_asked_tells_room_listeners_and_driver() -> None:
    df = "Filesystem 1024-blocks Used Available Capacity Mounted on\noverlay 100 40 60 40% /\n"
    driver = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
    told = host_facts.told(f"{df}--berth--\n{TCP}--berth--\n{driver}")
    assert told["disk"] == 60 * 1024 and ("10.0.0.5", 80) in told["listening"]
    assert told["driver"] == "535.104.05"
    assert host_facts.told(f"{df}--berth--\n--berth--\n")["driver"] is None
    with pytest.raises(ValueError):
        host_facts.told("--berth--\n")  # no grep
    with pytest.raises(IndexError):
        host_facts.told("--berth--\n--berth--\n")  # no df


def port(address: str, number: int) -> PortClaim:
    return PortClaim("berth:gpu.nginx.http_port", Address(address), number)


def container(name: str, stack: str | None, address: str, number: int) -> dict[str, Any]:
    labels = {"berth.stack": stack} if stack else {}
    published = {"IP": address, "PublicPort": number, "PrivatePort": 80, "Type": "tcp"}
    return {"Names": [f"/{name}"], "Labels": labels, "Ports": [published]}


@pytest.mark.parametrize(
    ("claim", "facts", "told"),
    [
        (port("0.0.0.0", 80), {"listening": {("10.0.0.5", 80)}}, "0.0.0.0:80 is taken by a process on the"),
        (port("127.0.0.1", 80), {"listening": {("0.0.0.0", 80)}}, "is taken by a process"),
        (port("127.0.0.1", 80), {"listening": {("10.0.0.5", 80)}}, None),
        (port("127.0.0.1", 80), {"listening": {("127.0.0.1", 81)}}, None),
        (
            port("0.0.0.0", 80),
            {"containers": (container("web", None, "0.0.0.0", 80),)},
            "is taken: container 'web' is not of berth",
        ),
        (
            port("0.0.0.0", 80),
            {"containers": (container("web", "b", "127.0.0.1", 80),)},
            "is taken: container 'web' belongs to stack b",
        ),
        (
            port("0.0.0.0", 80),
            {"containers": (container("web", "a", "0.0.0.0", 80),), "listening": {("0.0.0.0", 80)}},
            None,
        ),
        (port("127.0.0.1", 80), {"containers": (container("web", "b", "10.0.0.5", 80),)}, None),
    ],
)
def test_a_port_is_free_or_the_stacks_own_or_its_holder_is_named(
    claim: PortClaim, facts: dict[str, Any], told: str | None
) -> None:
    (found,) = claimed.ports([claim], replace(FAR, **facts), "a")
    assert found.grade == ("missing" if told else "ok"), found
    if told:
        assert told in found.found and claim.path in found.found and f"set {claim.path}" in found.fix


def test_the_process_that_holds_a_port_here_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        facts = replace(HERE, listening=host_facts.without_engine().listening)
        (found,) = claimed.ports([port("0.0.0.0", number)], facts, "a")
        assert found.grade == "missing" and f"process {os.getpid()} (" in found.found
        assert f"kill {os.getpid()}" in found.fix


def test_ports_of_a_host_that_does_not_tell_are_not_called_free() -> None:
    (found,) = claimed.ports([port("0.0.0.0", 80)], UNTOLD, "a")
    assert found.grade == "unknown" and "nobody says" in found.found
    facts = replace(UNTOLD, containers=(container("web", None, "0.0.0.0", 80),))
    assert claimed.ports([port("0.0.0.0", 80)], facts, "a")[0].grade == "missing"
    assert claimed.ports([], UNTOLD, "a")[0].grade == "ok"
    own = container("web", "a", "0.0.0.0", 80)
    facts = replace(UNTOLD, containers=(own,))
    assert claimed.ports([port("0.0.0.0", 80)], facts, "a")[0].grade == "ok", "its own is known"
    (found,) = claimed.ports([port("0.0.0.0", 80), port("0.0.0.0", 443)], facts, "a")
    assert found.grade == "unknown" and "443" in found.found and ":80" not in found.found


def test_what_listens_beside_a_machine_of_containers_is_not_known() -> None:
    facts = replace(FAR, unheard="Docker Desktop has a machine of its own")
    (found,) = claimed.ports([port("0.0.0.0", 8010)], facts, "a")
    assert found.grade == "unknown" and "Docker Desktop" in found.found


def test_a_rootless_engine_may_not_open_low_ports() -> None:
    facts = replace(HERE, rootless=True)
    (found,) = claimed.ports([port("0.0.0.0", 80), port("0.0.0.0", 8010)], facts, "a")
    assert found.grade == "unknown" and "0.0.0.0:80)" in found.found and "8010" not in found.found
    assert "ip_unprivileged_port_start=80" in found.fix
    assert claimed.ports([port("0.0.0.0", 1024)], facts, "a")[0].grade == "ok"
    facts = replace(facts, containers=(container("web", "a", "0.0.0.0", 80),))
    assert claimed.ports([port("0.0.0.0", 80)], facts, "a")[0].grade == "ok", "it did open it"


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ({"OperatingSystem": "Docker Desktop"}, "Docker Desktop"),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, "rootless"),
        ({"OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "SecurityOptions": ["name=seccomp"]}, ""),
        ({"SecurityOptions": None}, ""),
    ],
)
def test_which_engines_hide_their_host(info: dict[str, Any], told: str) -> None:
    assert told in host_facts._unheard(info) and bool(told) == bool(host_facts._unheard(info))


def test_images_of_containerd_lie_beside_the_engines_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_facts, "_CONTAINERD", tmp_path)
    root = Path("/var/lib/docker")
    info = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    assert host_facts._stores(root, info) == [root, tmp_path]
    assert host_facts._stores(root, {"DriverStatus": [["Backing Filesystem", "extfs"]]}) == [root]
    assert host_facts._stores(root, {"DriverStatus": None}) == [root]


def test_only_who_holds_that_tcp_port_and_address_is_named() -> None:
    """Another process has the same number for UDP, and one more for another address."""
    script = (
        "import socket, sys\n"
        "udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(('127.0.0.1', int(sys.argv[1])))\n"
        "tcp = socket.create_server(('127.0.0.2', int(sys.argv[1])))\n"
        "print('up', flush=True); sys.stdin.read()\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        command = [sys.executable, "-c", script, str(number)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout and other.stdout.readline() == b"up\n"
            facts = replace(HERE, listening=host_facts.without_engine().listening)
            (mine,) = claimed.ports([port("127.0.0.1", number)], facts, "a")
            (theirs,) = claimed.ports([port("127.0.0.2", number)], facts, "a")
            other.communicate()
    assert f"process {os.getpid()} (" in mine.found
    assert f"process {other.pid} (" in theirs.found


@pytest.mark.parametrize(
    ("pid", "command", "told"),
    [
        (1, "systemd", "systemctl list-sockets"),
        (7, "dockerd", "docker service ls"),
        (7, "docker-proxy", "docker service ls"),
        (7, "nginx", "kill 7"),
    ],
)
def test_who_listens_for_others_is_not_to_be_killed(pid: int, command: str, told: str) -> None:
    fix = claimed._stopped(pid, command)
    assert told in fix and ("kill" in fix) == (command == "nginx")


# --- networks


def network(name: str, subnet: str | None = None, stack: str | None = None) -> dict[str, Any]:
    return {
        "Name": name,
        "Labels": {"berth.stack": stack} if stack else {},
        "IPAM": {"Config": [{"Subnet": subnet}] if subnet else None},
    }


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (network("other", "172.20.128.0/24"), "172.20.0.0/16 overlaps 172.20.128.0/24: network 'other'"),
        (network("mine", "172.20.0.0/16", "a"), None),
        (network("mine", "10.9.0.0/16"), "the name is taken: network 'mine' is not of berth"),
        (network("other", "172.21.0.0/16"), None),
        (network("other"), None),
        (network("six", "fd00::/64"), None),
    ],
)
def test_a_network_has_its_name_and_range_to_itself(there: dict[str, Any], told: str | None) -> None:
    names = [NetworkClaim("berth:celery.network.name", "mine")]
    ranges = [SubnetClaim("berth:celery.network.subnet", Cidr("172.20.0.0/16"))]
    (found,) = claimed.networks(names, ranges, replace(FAR, networks=(there,)), "a")
    assert found.grade == ("missing" if told else "ok"), found
    if told:
        assert told in found.found and "docker network rm" in found.fix


def test_a_network_that_is_joined_must_be_there() -> None:
    joined = [NetworkClaim("berth:gateway.network.name", "theirs", made=False)]
    (found,) = claimed.networks(joined, [], FAR, "a")
    assert found.grade == "missing" and "theirs" in found.found
    (found,) = claimed.networks(joined, [], replace(FAR, networks=(network("theirs", stack="b"),)), "a")
    assert found.grade == "ok"


@pytest.mark.parametrize(
    ("host", "name", "here"),
    [
        ("unix:///var/run/docker.sock", None, True),
        ("unix:///var/run/docker.sock", "docker-desktop", False),
        ("tcp://10.0.0.5:2376", None, False),
        ("ssh://ops@10.0.0.5", None, False),
    ],
)
def test_an_engine_is_here_only_if_it_is_of_this_machine(
    tmp_path: Path, host: str, name: str | None, here: bool
) -> None:
    info = {"DockerRootDir": str(tmp_path), "Name": name or socket.gethostname()}
    found = host_facts.root_here(Engine(host=host, origin="a test"), info)
    assert found == (tmp_path if here else None)
    gone = info | {"DockerRootDir": str(tmp_path / "gone")}
    assert host_facts.root_here(Engine(host=host, origin="a test"), gone) is None
