"""Which host paths a container may have; the components and the policy pack must agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.containers.host_paths import host_danger as by_type
from policies.host_paths import host_danger, is_harmless_device, reaches_engine


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
    """
)

OPEN = words(
    """
    /srv /srv/data /opt/app /mnt/data /home/me/project /data /var/lib/app /var/log/app /tmp
    /run/secrets /etcetera /devices /rooted /var/lib/dockerish /run/app
    """
)

READ_ONLY = words(
    """
    /etc/localtime /etc/timezone /etc/ssl/certs/ca-certificates.crt /etc/resolv.conf
    /usr/share/zoneinfo /usr /lib/modules
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


PARTS = [*words("var run lib etc docker .ssh home me . .. user 1000 usr"), "docker.sock", "localtime", ""]


@given(st.lists(st.sampled_from(PARTS), max_size=5), st.booleans())
def test_components_and_policies_draw_one_line(parts: list[str], read_only: bool) -> None:
    path = "/" + "/".join(parts)
    assert pack_refuses(path, read_only) is (by_type(path, read_only=read_only) is not None)


def test_a_volume_name_is_no_host_path() -> None:
    assert host_danger("etc", read_only=False) is None
    assert not reaches_engine("run")


def test_devices() -> None:
    for name in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dri", "/dev/snd", "/dev/null", "nvidia.com/gpu=all"):
        assert is_harmless_device(name), name
    for name in ("/dev/sda", "/dev/mem", "/dev", "/dev/", "/dev/snd/../sda", "/", "", "/dev/kmsg", "sda"):
        assert not is_harmless_device(name), name
