"""What the plugin asks of the engine for a container, and what it makes of the answer, without an engine."""

from __future__ import annotations

import io
import tarfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.docker import container_create as create
from offline.docker import container_read as read
from offline.docker import container_units as units
from offline.docker.container import Container
from offline.docker.container_check import failures
from offline.docker.container_failure import redact
from offline.docker.container_fields import FIELDS, same_ports
from offline.docker.container_support import require_support
from offline.provider.difference import compare
from offline.provider.resource import UNKNOWN, ResourceError

PLAIN = {"name": "web", "image": "web:1"}
PLAIN_PAYLOAD = {
    "Image": "web:1",
    "HostConfig": {
        "NetworkMode": "bridge",
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "Init": False,
    },
}


def test_the_payload_of_next_to_nothing() -> None:
    assert create.payload(PLAIN) == PLAIN_PAYLOAD


def test_the_payload_of_a_service_as_the_components_make_it() -> None:
    inputs = PLAIN | {
        "command": ["serve", "--port", "80"],
        "entrypoints": ["/entry"],
        "envs": ["A=1"],
        "user": "1000:1000",
        "workingDir": "/srv",
        "hostname": "h",
        "domainname": "d",
        "labels": [{"label": "a", "value": "b"}],
        "stopSignal": "SIGQUIT",
        "stopTimeout": 30,
        "tty": True,
        "stdinOpen": True,
        "healthcheck": {"tests": ["CMD", "probe"], "interval": "10s", "timeout": "500ms", "retries": 3},
        "ports": [{"internal": 80, "external": 8010}, {"internal": 80, "external": 8011, "ip": "127.0.0.1"}],
        "memory": 64,
        "memoryReservation": 32,
        "memorySwap": -1,
        "shmSize": 16,
        "cpus": "1.5",
        "cpuPeriod": 1000,
        "cpuShares": 10,
        "cpuSet": "0-1",
        "restart": "on-failure",
        "maxRetryCount": 5,
        "init": True,
        "readOnly": True,
        "capabilities": {"adds": ["CHOWN"], "drops": ["ALL"]},
        "securityOpts": ["no-new-privileges:true", "systempaths=unconfined"],
        "mounts": [
            {"type": "volume", "target": "/v", "source": "data", "volumeOptions": {"noCopy": True}},
            {"type": "bind", "target": "/b", "source": "/s", "bindOptions": {"propagation": "rslave"}},
            {"type": "tmpfs", "target": "/t", "tmpfsOptions": {"sizeBytes": 1, "mode": 0o700}},
        ],
        "volumes": [
            {"hostPath": "/h", "containerPath": "/c", "readOnly": True, "selinuxRelabel": "z"},
            {"volumeName": "n", "containerPath": "/n"},
            {"containerPath": "/anonymous"},
            {"fromContainer": "other"},
        ],
        "tmpfs": {"/run": "size=1m"},
        "hosts": [{"host": "db", "ip": "10.0.0.1"}],
        "ulimits": [{"name": "nofile", "soft": 1, "hard": -1}],
        "devices": [{"hostPath": "/dev/null"}],
        "deviceReadBps": [{"path": "/dev/sda", "rate": 1}],
        "deviceReadIops": [{"path": "/dev/sda", "rate": 2}],
        "deviceWriteBps": [{"path": "/dev/sda", "rate": 3}],
        "deviceWriteIops": [{"path": "/dev/sda", "rate": 4}],
        "dns": ["1.1.1.1"],
        "dnsOpts": ["ndots:1"],
        "dnsSearches": ["example.org"],
        "logDriver": "json-file",
        "logOpts": {"max-size": "10m"},
        "networkMode": "net",
        "privileged": True,
        "publishAllPorts": True,
        "rm": True,
        "runtime": "runc",
        "usernsMode": "host",
        "pidMode": "host",
        "ipcMode": "private",
        "sysctls": {"a": "1"},
        "groupAdds": ["g"],
        "cgroupnsMode": "private",
        "cgroupParent": "/p",
        "storageOpts": {"size": "1G"},
    }
    assert create.payload(inputs) == {
        "Image": "web:1",
        "Hostname": "h",
        "Domainname": "d",
        "Tty": True,
        "OpenStdin": True,
        "StopSignal": "SIGQUIT",
        "StopTimeout": 30,
        "Env": ["A=1"],
        "Cmd": ["serve", "--port", "80"],
        "Entrypoint": ["/entry"],
        "User": "1000:1000",
        "WorkingDir": "/srv",
        "Labels": {"a": "b"},
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/c": {}, "/n": {}, "/anonymous": {}},
        "Healthcheck": {"Test": ["CMD", "probe"], "Interval": 10**10, "Timeout": 5 * 10**8, "Retries": 3},
        "HostConfig": {
            "Privileged": True,
            "PublishAllPorts": True,
            "Runtime": "runc",
            "Mounts": [
                {"Type": "volume", "Target": "/v", "Source": "data", "VolumeOptions": {"NoCopy": True}},
                {"Type": "bind", "Target": "/b", "Source": "/s", "BindOptions": {"Propagation": "rslave"}},
                {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1, "Mode": 0o700}},
            ],
            "AutoRemove": True,
            "ReadonlyRootfs": True,
            "Tmpfs": {"/run": "size=1m"},
            "ExtraHosts": ["db:10.0.0.1"],
            "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": -1}],
            "CapAdd": ["CHOWN"],
            "CapDrop": ["ALL"],
            "Devices": [
                {"PathOnHost": "/dev/null", "PathInContainer": "/dev/null", "CgroupPermissions": "rwm"}
            ],
            "Dns": ["1.1.1.1"],
            "DnsOptions": ["ndots:1"],
            "DnsSearch": ["example.org"],
            "SecurityOpt": ["no-new-privileges:true"],
            "MaskedPaths": [],
            "ReadonlyPaths": [],
            "ShmSize": 16 * 2**20,
            "NanoCpus": 1_500_000_000,
            "NetworkMode": "net",
            "UsernsMode": "host",
            "PidMode": "host",
            "IpcMode": "private",
            "Sysctls": {"a": "1"},
            "GroupAdd": ["g"],
            "CgroupnsMode": "private",
            "CgroupParent": "/p",
            "StorageOpt": {"size": "1G"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
            "Memory": 64 * 2**20,
            "MemoryReservation": 32 * 2**20,
            "MemorySwap": -1,
            "CpuShares": 10,
            "CpusetCpus": "0-1",
            "BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 1}],
            "BlkioDeviceReadIOps": [{"Path": "/dev/sda", "Rate": 2}],
            "BlkioDeviceWriteBps": [{"Path": "/dev/sda", "Rate": 3}],
            "BlkioDeviceWriteIOps": [{"Path": "/dev/sda", "Rate": 4}],
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
            "Init": True,
            "PortBindings": {
                "80/tcp": [
                    {"HostIp": "0.0.0.0", "HostPort": "8010"},
                    {"HostIp": "127.0.0.1", "HostPort": "8011"},
                ]
            },
            "Binds": ["/h:/c:ro,z", "n:/n:rw"],
            "VolumesFrom": ["other"],
        },
    }


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("all", {"Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}),
        ("2", {"Driver": "", "Count": 2, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}),
        (
            "device=0,2",
            {"Driver": "", "Count": 0, "DeviceIDs": ["0", "2"], "Capabilities": [["gpu"]], "Options": {}},
        ),
        (
            "'\"device=GPU-3a,GPU-4b\"'",
            {
                "Driver": "",
                "Count": 0,
                "DeviceIDs": ["GPU-3a", "GPU-4b"],
                "Capabilities": [["gpu"]],
                "Options": {},
            },
        ),
        (
            'driver=nvidia,count=1,"capabilities=compute,utility","options=a=b,c=d"',
            {
                "Driver": "nvidia",
                "Count": 1,
                "DeviceIDs": None,
                "Capabilities": [["compute", "utility", "gpu"]],
                "Options": {"a": "b", "c": "d"},
            },
        ),
        (
            "driver=nvidia",
            {"Driver": "nvidia", "Count": 1, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}},
        ),
    ],
)
def test_gpus_are_read_as_the_command_line_reads_them(text: str, request_: dict[str, Any]) -> None:
    assert create.payload(PLAIN | {"gpus": text})["HostConfig"]["DeviceRequests"] == [request_]


@pytest.mark.parametrize("text", ["al", "count=x", "vendor=nvidia", "count=1,count=2"])
def test_wrong_gpus_are_named(text: str) -> None:
    [failure] = failures(PLAIN | {"gpus": text})
    assert failure.property == "gpus"


def test_device_requests_as_given() -> None:
    request = {"driver": "nvidia", "count": -1, "capabilities": ["gpu", "compute"], "options": {"a": "b"}}
    assert create.payload(PLAIN | {"deviceRequests": [request, {"deviceIds": ["x/y=0"]}]})["HostConfig"][
        "DeviceRequests"
    ] == [
        {
            "Driver": "nvidia",
            "Count": -1,
            "DeviceIDs": [],
            "Capabilities": [["gpu", "compute"]],
            "Options": {"a": "b"},
        },
        {"Driver": "cdi", "Count": 0, "DeviceIDs": ["x/y=0"], "Capabilities": [[]], "Options": {}},
    ]


def test_endpoints() -> None:
    network = {
        "name": "net",
        "aliases": ["a"],
        "ipv4Address": "10.0.0.2",
        "ipv6Address": "fd00::2",
        "linkLocalIps": ["169.254.1.1"],
        "macAddress": "02:00:00:00:00:01",
        "driverOpts": ["k=v=w"],
        "gwPriority": 2,
    }
    [(name, endpoint)] = create.endpoints({"networksAdvanced": [network]})
    assert name == "net" and endpoint == {
        "Aliases": ["a"],
        "IPAMConfig": {"IPv4Address": "10.0.0.2", "IPv6Address": "fd00::2", "LinkLocalIPs": ["169.254.1.1"]},
        "MacAddress": "02:00:00:00:00:01",
        "DriverOpts": {"k": "v=w"},
        "GwPriority": 2,
    }


def test_an_update_raises_the_swap_that_was_left_to_the_engine() -> None:
    assert create.update(PLAIN | {"memory": 64, "restart": "always"}) == {
        "Memory": 64 * 2**20,
        "MemorySwap": 128 * 2**20,
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
    }


def test_uploads_become_one_archive(tmp_path: Any) -> None:
    (tmp_path / "f").write_bytes(b"\xff")
    archive = create.upload_archive(
        [
            {"file": "/a", "content": "é"},
            {"file": "/b/c", "contentBase64": "/w==", "executable": True},
            {"file": "/d", "source": str(tmp_path / "f"), "executable": True, "permissions": "0400"},
        ]
    )
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {entry.name: (entry.mode, tar.extractfile(entry).read()) for entry in tar}  # type: ignore[union-attr]
    assert found == {"a": (0o644, "é".encode()), "b/c": (0o744, b"\xff"), "d": (0o400, b"\xff")}


def test_values_that_are_not_known_yet_pass_the_check() -> None:
    assert not failures(
        PLAIN | {"cpus": UNKNOWN, "mounts": [{"type": UNKNOWN}], "healthcheck": UNKNOWN, "gpus": UNKNOWN}
    )


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_input_has_a_place(name: str) -> None:
    """An input either reaches the engine or is read by the plugin itself: none is only accepted."""
    folder = Path(create.__file__).parent
    sources = [
        (folder / f"container_{part}.py").read_text("utf-8") for part in ("create", "lifecycle", "wait")
    ]
    assert any(f'"{name}"' in source for source in sources)


# --- reading


def inspected(**host: Any) -> dict[str, Any]:
    return {
        "Id": "0" * 64,
        "Name": "/web",
        "Image": "sha256:1",
        "Platform": "linux",
        "State": {"Running": True, "ExitCode": 0},
        "Config": {
            "Image": "web:1",
            "Hostname": "0" * 12,
            "Env": ["PATH=/bin", "A=1"],
            "Labels": {"io.image": "x"},
        },
        "HostConfig": {"RestartPolicy": {"Name": "no"}, "LogConfig": {"Type": "json-file"}, **host},
        "NetworkSettings": {"Networks": {}, "Ports": {}},
    }


def difference(state: dict[str, Any], inputs: dict[str, Any]) -> set[str]:
    return {change.path for change in compare(FIELDS, state, inputs)}


def test_env_and_labels_of_the_image_are_not_the_containers() -> None:
    inputs = PLAIN | {"envs": ["A=1"]}
    assert read.state(inspected(), inputs)["envs"] == ["A=1"] and not read.state(inspected(), PLAIN)["envs"]
    image = {"Config": {"Env": ["PATH=/bin"], "Labels": {"io.image": "x"}}}
    imported = read.imported(inspected(), image)
    assert imported == {"name": "web", "image": "web:1", "envs": ["A=1"]}


@pytest.mark.parametrize("swap", [128, -1])
def test_swap_left_to_the_engine_is_no_difference(swap: int) -> None:
    inputs = PLAIN | {"memory": 64}
    host = {"Memory": 64 * 2**20, "MemorySwap": units.mib(swap)}
    assert not difference(read.state(inspected(**host), inputs), inputs)
    assert difference(read.state(inspected(**host), inputs | {"memorySwap": 64}), inputs | {"memorySwap": 64})


def test_a_stopped_container_differs_in_must_run_alone() -> None:
    inputs = PLAIN | {"ports": [{"internal": 80, "external": 8010}]}
    stopped = inspected(PortBindings={"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8010"}]})
    stopped["State"] = {"Running": False, "ExitCode": 3}
    state = read.state(stopped, inputs)
    assert difference(state, inputs) == {"mustRun"} and state["exitCode"] == 3
    assert not difference(read.state(stopped, inputs | {"mustRun": False}), inputs | {"mustRun": False})


def test_a_state_of_the_official_provider_shows_no_change() -> None:
    """As it writes it: everything there is, zero values included, sets in another order."""
    inputs = PLAIN | {
        "command": ["serve"],
        "envs": ["B=2", "A=1"],
        "labels": [{"label": "b", "value": "2"}, {"label": "a", "value": "1"}],
        "capabilities": {"drops": ["ALL"]},
        "healthcheck": {"tests": ["CMD", "probe"], "interval": "60s"},
        "memory": 64,
        "memorySwap": 64,
        "mounts": [{"type": "volume", "target": "/v", "source": "data"}],
        "networksAdvanced": [{"name": "net", "aliases": ["a"]}],
        "ports": [{"internal": 80, "external": 8010}, {"internal": 22}],
    }
    state = {
        **dict.fromkeys(("attach", "logs", "privileged", "publishAllPorts", "readOnly", "rm", "wait"), False),
        **dict.fromkeys(("bridge", "cpuSet", "domainname", "hostname", "user", "workingDir"), ""),
        **dict.fromkeys(("cpuShares", "exitCode", "maxRetryCount", "memoryReservation"), 0),
        **dict.fromkeys(("cpus", "deviceRequests", "gpus", "logOpts", "stopTimeout", "tmpfs"), None),
        **{name: [] for name in ("devices", "dns", "dnsOpts", "entrypoints", "uploads")},
        "capabilities": {"adds": [], "drops": ["ALL"]},
        "command": ["serve"],
        "containerReadRefreshTimeoutMilliseconds": 15000,
        "envs": ["A=1", "B=2"],
        "healthcheck": {
            **dict.fromkeys(("startInterval", "startPeriod", "timeout"), "0s"),
            "interval": "1m0s",
            "retries": 0,
            "tests": ["CMD", "probe"],
        },
        "image": "web:1",
        "init": False,
        "ipcMode": "private",
        "labels": [{"label": "a", "value": "1"}, {"label": "b", "value": "2"}],
        "logDriver": "json-file",
        "memory": 64,
        "memorySwap": 64,
        "mounts": [
            {
                **dict.fromkeys(("bindOptions", "tmpfsOptions", "volumeOptions")),
                "readOnly": False,
                "source": "data",
                "target": "/v",
                "type": "volume",
            }
        ],
        "mustRun": True,
        "name": "web",
        "networkMode": "bridge",
        "networksAdvanced": [{"aliases": ["a"], "gwPriority": 0, "ipv4Address": "", "name": "net"}],
        "ports": [
            {"external": 32768, "internal": 22, "ip": "0.0.0.0", "protocol": "tcp"},
            {"external": 8010, "internal": 80, "ip": "0.0.0.0", "protocol": "tcp"},
        ],
        "removeVolumes": True,
        "restart": "no",
        "runtime": "runc",
        "securityOpts": [],
        "shmSize": 64,
        "start": True,
        "stopSignal": "",
        "waitTimeout": 60,
    }
    assert not difference(state, inputs)


# --- differences


def test_which_inputs_replace() -> None:
    """In short; test_plugin_official.py compares every property with the official decision."""
    in_place = {name for name, field in FIELDS.items() if not field.replace}
    assert in_place == {
        *("attach", "containerReadRefreshTimeoutMilliseconds", "destroyGraceSeconds", "logs", "mustRun"),
        *(
            "removeVolumes",
            "rm",
            "start",
            "wait",
            "waitTimeout",
            "cpuPeriod",
            "cpuQuota",
            "cpuSet",
            "cpuShares",
        ),
        *("deviceReadBps", "deviceReadIops", "deviceWriteBps", "deviceWriteIops", "maxRetryCount", "memory"),
        *("memoryReservation", "memorySwap", "restart"),
    }
    assert Container.delete_before_replace


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ([(80, 8010)], [(80, 8010)], True),
        ([(80, 8010)], [(80, None)], True),
        ([(80, 8010)], [(80, 8011)], False),
        ([(80, 8010), (80, 8011)], [(80, 8011), (80, 8010)], True),
        ([(80, 8010), (80, 32768)], [(80, None), (80, 8010)], True),
        ([(80, 8010), (81, 8011)], [(80, 8010)], False),
        ([], [(80, None)], False),
    ],
)
def test_ports(old: list[Any], new: list[Any], same: bool) -> None:
    def ports(entries: list[Any]) -> list[dict[str, Any]]:
        return [{"internal": i, **({"external": e} if e else {})} for i, e in entries]

    assert same_ports(ports(old), ports(new)) is same


# --- arithmetic


@given(st.integers(min_value=-(10**18), max_value=10**18))
def test_durations_round_trip(nanoseconds: int) -> None:
    assert units.parse_duration(units.format_duration(nanoseconds)) == nanoseconds
    assert units.parse_duration(units.short_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds", "printed", "short"),
    [
        ("60s", 60 * 10**9, "1m0s", "1m"),
        ("1h", 3600 * 10**9, "1h0m0s", "1h"),
        ("1.5s", 1_500_000_000, "1.5s", "1.5s"),
        ("250ms", 250_000_000, "250ms", "250ms"),
        ("0", 0, "0s", "0s"),
        ("1h0m5s", 3605 * 10**9, "1h0m5s", "1h0m5s"),
        ("3us", 3000, "3µs", "3µs"),
    ],
)
def test_durations_as_go_prints_them(text: str, nanoseconds: int, printed: str, short: str) -> None:
    assert units.parse_duration(text) == nanoseconds
    assert units.format_duration(nanoseconds) == printed and units.short_duration(nanoseconds) == short


@pytest.mark.parametrize("text", ["", "1", "s", "1 s", "1d", "1s1", "--1s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError):
        units.parse_duration(text)


@given(st.integers(min_value=1, max_value=10**13))
def test_cpus_round_trip(nano: int) -> None:
    text = units.format_cpus(nano)
    assert units.parse_cpus(text) == nano and Decimal(text) * 10**9 == nano


@given(st.integers(min_value=-1, max_value=2**31))
def test_mib_round_trips(value: int) -> None:
    assert units.to_mib(units.mib(value)) == value
    assert units.mib(value) == (value * 2**20 if value > 0 else value)


# --- messages


def test_secrets_stay_out_of_messages() -> None:
    inputs = {
        "envs": ["DB_PASSWORD=hunter22", "DATABASE=postgres://u:pa55word@db/x", "LEVEL=debug"],
        "uploads": [{"file": "/k", "content": "first line\nsecond"}],
    }
    text = redact("hunter22 pa55word debug: first line, second", inputs)
    assert text == "[secret] [secret] debug: [secret], [secret]"


def test_what_an_engine_would_ignore_is_refused() -> None:
    inputs = PLAIN | {"healthcheck": {"tests": ["CMD", "true"], "startInterval": "1s"}}
    require_support("1.44", inputs)
    with pytest.raises(ResourceError, match=r"healthcheck.startInterval needs Docker 25.0"):
        require_support("1.41", inputs)
    require_support("1.41", PLAIN | {"healthcheck": {"startInterval": "0s"}})
