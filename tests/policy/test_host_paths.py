"""Which host paths a container may have; the components and the policy pack must agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.containers.host_paths import host_danger as by_type
from components.containers.volume import DirectoryStorage
from policies.host_paths import host_danger, is_harmless_device, reaches_engine
from policies.rule import SERVICE, VOLUME
from tests.policy.pack import UNKNOWN, ask, container, service


def words(text: str) -> list[str]:
    return text.split()


SEALED = words(
    """
    / // /etc /etc/ /etc/shadow /etc/ssh/key /root /root/.bashrc /proc /proc/1/root /sys
    /sys/fs/cgroup /dev /dev/sda /dev/mem /boot /var /var/lib /var/lib/docker
    /var/lib/docker/volumes /var/lib/containerd /run /var/run /var/run/dbus /run/systemd/private
    /home /home/me /home/me/.ssh /srv/x/.aws/credentials /var/spool /srv/../etc /run/user/1000
    /run/docker.sock /var/run/docker.sock /srv/app/docker.sock /run/containerd /run/crio/crio.sock
    /run/docker/x
    /home/u/.config /home/u/.config/gh /home/u/.local/share/berth /home/u/.bashrc /home/u/.profile
    /run/snapd.socket /run/snapd-snap.socket /var/lib/lxd /var/lib/lxd/unix.socket /run/libvirt
    /run/libvirt/libvirt-sock /var/run/libvirt/libvirt-sock /var/lib/libvirt/images /var/snap/docker
    /var/snap /var/snap/lxd/common /var/lib/rancher /var/lib/rancher/k3s /var/lib/incus /run/k3s
    """
)

OPEN = words(
    """
    /srv /srv/data /opt/app /mnt/data /home/me/project /home/me/.cache /home/me/.cache/models
    /home/me/app/.config /srv/app/.local /run/libvirtual /var/lib/dpkgs /data /var/lib/app /var/log/app /tmp
    /run/secrets /etcetera /devices /rooted /var/lib/dockerish /run/app
    """
)

READ_ONLY = words(
    """
    /etc/localtime /etc/timezone /etc/ssl/certs/ca-certificates.crt /etc/resolv.conf
    /usr/share/zoneinfo /usr /lib/modules
    /var/lib/dpkg /var/lib/dpkg/info /var/lib/dpkg/status /var/lib/rpm /snap /snap/bin
    """
)


def pack_refuses(path: str, read_only: bool) -> bool:
    return reaches_engine(path) or host_danger(path, read_only=read_only) is not None


@pytest.mark.parametrize("path", SEALED)
def test_sealed_whoever_asks(path: str) -> None:
    for read_only in (True, False):
        assert pack_refuses(path, read_only)
        assert by_type(path, read_only=read_only)


@pytest.mark.parametrize("path", OPEN)
def test_open(path: str) -> None:
    for read_only in (True, False):
        assert not pack_refuses(path, read_only)
        assert not by_type(path, read_only=read_only)


@pytest.mark.parametrize("path", READ_ONLY)
def test_to_read_only(path: str) -> None:
    assert not pack_refuses(path, True) and not by_type(path, read_only=True)
    assert pack_refuses(path, False) and by_type(path, read_only=False)


PARTS = [
    *words("var run lib etc docker .ssh .config .cache snap snapd.socket dpkg home me . .. user 1000 usr"),
    "docker.sock",
    "localtime",
    "",
]


@given(st.lists(st.sampled_from(PARTS), max_size=5), st.booleans())
def test_components_and_policies_draw_one_line(parts: list[str], read_only: bool) -> None:
    path = "/" + "/".join(parts)
    assert pack_refuses(path, read_only) is (by_type(path, read_only=read_only) is not None)


def volume(device: object, type: str = "none", o: str = "bind", driver: str = "local") -> dict[str, object]:
    options = {"type": type, "o": o, "device": device}
    return {"driver": driver, "driverOpts": {key: value for key, value in options.items() if value != ""}}


REFUSED_VOLUMES = [
    *(volume(path) for path in words("etc dev/sda1 ./etc ../etc etc/ . .. ~ $HOME")),
    *(volume(path) for path in (" /etc", "\n/etc", "file:///etc", "C:/etc", "\\etc")),
    *(
        volume(path)
        for path in words("/etc //etc ///etc /./etc /etc/. /etc/../etc /srv/../etc /var/run/../etc")
    ),
    *(volume("/etc", "none", o) for o in ("rbind,rw", "rw,bind", "ro,rbind,rslave", "BIND", " bind ")),
    *(volume("/etc", kind, "bind") for kind in ("ext4", "tmpfs", "nfs", "cifs", "", "bind")),
    *(volume("etc", kind, "ro,bind") for kind in ("ext4", "tmpfs", "nfs", "")),
    *(volume("/etc", kind, "") for kind in words("none ext4 tmpfs nfs cifs")),
    *(
        volume(path, "ext4", "")
        for path in words("/dev/sda1 dev/sda1 //dev/sda1 /dev/nvme0n1p2 /dev/vda LABEL=data")
    ),
    *(
        volume(path, "ext4", "")
        for path in words("/dev/mapper /dev/mapper/ /dev/mapper/../sda1 /dev/mapper/a/../../sda")
    ),
    *(
        volume(f"/dev/mapper/{name}", "xfs", "")
        for name in words("control cryptroot vg-root sda3_crypt cryptswap")
    ),
    *(
        volume(f"/dev/mapper/{name}", "xfs", "")
        for name in words("ubuntu--vg-ubuntu--lv luks-0b5f fedora-root")
    ),
    *(
        volume(":/srv", "nfs", f"rw,addr={host}")
        for host in words(
            "127.0.0.1 localhost LOCALHOST. ::1 127.8.8.8 127.1 0.0.0.0 0 a.localhost ::ffff:127.0.0.1"
        )
    ),
    *(volume(device, "nfs4", "rw") for device in words("127.0.0.1:/srv localhost:/srv [::1]:/srv")),
    volume("10.0.0.5:/srv", "nfs", "addr=127.0.0.1"),
    *(volume(device, "cifs", "username=app") for device in words("//127.0.0.1/c //localhost/c //::1/c")),
    volume("//nas/audio", "cifs", "username=app,ip=127.0.0.1"),
    # `rbind` makes a folder of the host of whatever the type would allow.
    volume("data", "tmpfs", "rbind"),
    volume("server:/etc", "nfs", "addr=10.0.0.5,rbind"),
    volume(":/etc", "nfs4", "rbind,addr=10.0.0.5"),
    volume("//etc/audio", "cifs", "rbind"),
    volume("/dev/mapper/data", "ext4", "rbind,rw"),
    volume("/dev/mapper/data", "none", "bind"),
    volume("/dev/mapper/data", "ext4", "rw,bind"),
    *(volume("x", kind, "") for kind in words("overlay proc sysfs cgroup2 devtmpfs debugfs fuse EXT4")),
    volume("server/etc", "nfs", "addr=10.0.0.5"),
    volume("/srv/export", "nfs4", "addr=10.0.0.5"),
    volume("//server", "cifs", "addr=10.0.0.5"),
    *(
        volume(path, "", "", driver)
        for path in ("/etc", "/dev/sda1")
        for driver in ("sshfs", "local-persist")
    ),
]

ALLOWED_VOLUMES: list[dict[str, object]] = [
    {},
    {"driver": "local"},
    {"driver": "local", "driverOpts": {}},
    *(volume(path) for path in ("/srv/data", "/opt/taifish/data", "/srv//data/", "/mnt/data")),
    volume("/srv/data", "none", "rbind,rw"),
    *(volume("/srv/data", kind, "rbind") for kind in words("ext4 tmpfs nfs cifs")),
    volume("/usr/share/zoneinfo", "none", "bind,ro"),
    volume("tmpfs", "tmpfs", "size=1m,uid=1000"),
    *(volume("/dev/mapper/taifish-data", kind, "") for kind in ("ext4", "xfs", "btrfs")),
    volume("/dev/mapper/data_1", "ext4", "noatime,nodev"),
    volume(":/etc", "nfs", "addr=10.0.0.5,rw"),
    volume("10.0.0.5:/export/data", "nfs4", "rw"),
    volume("[fd00::5]:/export", "nfs4", "addr=fd00::5"),
    volume("localhost-nas:/export", "nfs4", "addr=nas.local"),
    volume("//10.0.0.5/audio", "cifs", "username=app"),
    volume("//etc/audio", "cifs", "username=app"),
    volume("me@10.0.0.5:/etc", "", "", "sshfs"),
]


@pytest.mark.parametrize("inputs", REFUSED_VOLUMES)
def test_volumes_that_are_the_host(inputs: dict[str, object]) -> None:
    answer = ask(inputs, VOLUME)
    assert answer.broken == {"no-host-folders"}, answer
    assert "driverOpts." in answer.text
    mounted = {"driverName": inputs["driver"], "driverOptions": inputs["driverOpts"]}
    mounts = [{"type": "volume", "source": "data", "target": "/d", "volumeOptions": mounted}]
    assert ask(container(mounts=mounts)).broken == {"no-host-folders"}
    assert ask(service(containerSpec__mounts=mounts), SERVICE).broken == {"no-host-folders"}


@pytest.mark.parametrize("inputs", ALLOWED_VOLUMES)
def test_volumes_that_are_not(inputs: dict[str, object]) -> None:
    answer = ask(inputs, VOLUME)
    assert (answer.violations, answer.pending) == ([], [])


def test_an_unknown_option_is_judged_in_the_update() -> None:
    for inputs in (volume("etc", UNKNOWN), volume("etc", "none", UNKNOWN), volume(UNKNOWN)):
        answer = ask(inputs, VOLUME)
        assert answer.violations == [] and answer.pending
    assert ask(volume("/root", "none", UNKNOWN), VOLUME).broken == {"no-host-folders"}


def test_a_bind_mount_has_an_absolute_source() -> None:
    for inputs in (
        {"mounts": [{"type": "bind", "source": "etc", "target": "/d"}]},
        {"volumes": [{"hostPath": "./etc", "containerPath": "/d"}]},
    ):
        assert ask(container(**inputs)).broken == {"no-host-folders"}


def test_a_volume_in_a_folder_is_refused_by_its_type() -> None:
    assert DirectoryStorage(kind="directory", path="/srv/data")
    for path in words("etc /etc /srv/../etc /usr /dev/sda1 /var/lib/docker"):
        with pytest.raises(ValidationError):
            DirectoryStorage(kind="directory", path=path)


DANGEROUS = words(
    "/ /etc /etc/shadow /root /proc/1/root /sys /dev/sda1 /dev/mem /boot /var/lib/docker /run/docker.sock"
)
KINDS = ["", "none", "bind", "ext4", "xfs", "tmpfs", "nfs", "nfs4", "cifs", "proc"]
FLAGS = ["bind", "rbind", "rw", "ro", "addr=127.0.0.1", "private", " bind"]


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A dangerous path with doubled slashes, dots, detours, and with its leading slash or without."""
    parts = [part for part in draw(st.sampled_from(DANGEROUS)).split("/") if part]
    spelled = []
    for part in parts:
        spelled += [*draw(st.lists(st.sampled_from([".", "", "srv/.."]), max_size=2)), part]
    end = draw(st.sampled_from(["", "/", "/.", "//", "/x/.."]))
    return draw(st.sampled_from(["/", "//", "./", "", "../", "/./", "/srv/../"])) + "/".join(spelled) + end


@given(spellings(), st.sampled_from(KINDS), st.lists(st.sampled_from(FLAGS), max_size=3))
def test_no_spelling_of_a_dangerous_path_passes(path: str, kind: str, flags: list[str]) -> None:
    share = kind == "cifs" and path.startswith("//") and not {"bind", "rbind", " bind"} & {*flags}
    if path and not share:  # //SERVER/SHARE is a share, whatever the server is called
        assert ask(volume(path, kind, ",".join(flags)), VOLUME).broken
    if path.startswith("/"):
        assert ask(container(volumes=[{"hostPath": path, "containerPath": "/d", "readOnly": True}])).broken
        assert by_type(path, read_only=True)


def test_a_volume_name_is_no_host_path() -> None:
    assert host_danger("etc", read_only=False) is None
    assert not reaches_engine("run")


def test_devices() -> None:
    for name in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dri", "/dev/snd", "/dev/null", "nvidia.com/gpu=all"):
        assert is_harmless_device(name), name
    for name in ("/dev/sda", "/dev/mem", "/dev", "/dev/", "/dev/snd/../sda", "/", "", "/dev/kmsg", "sda"):
        assert not is_harmless_device(name), name
