"""An emulated cloud with machines, in a process of its own, and the SDKs that speak to it."""

from __future__ import annotations

import fcntl
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
from alibabacloud_ecs20140526 import models as m
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as v
from alibabacloud_vpc20160428.client import Client as Vpc
from docker.errors import ImageNotFound

from emulator.access import AccessKey
from emulator.store import Store
from stacks.content import content_key
from tests.docker.workloads import base

ROOT = Path(__file__).parents[2]
GUEST = ROOT / "emulator" / "guest"
REGION = "cn-hangzhou"
ZONE = f"{REGION}-h"
IMAGE = "debian_12_x64_20G_alibase_20250630.vhd"
R = {"region_id": REGION}


def guest(client: docker.DockerClient) -> str:
    """The tag of the image that machines boot, built from its folder."""
    with (Path(tempfile.gettempdir()) / "berth-test-image-guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        args = {"BASE": base(client)}
        tag = f"berth/cloud-machine:{content_key(GUEST, args)}"
        try:
            client.images.get(tag)
        except ImageNotFound:
            client.images.build(path=str(GUEST), tag=tag, buildargs=args, rm=True, forcerm=True)
    return tag


class Cloud:
    """`python -m emulator serve --machines`, from its start to its end. folder: a new one."""

    def __init__(self, client: docker.DockerClient, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.name = f"test-{secrets.token_hex(3)}"
        self.image = guest(client)
        self.start()
        store = Store(folder / "cloud" / "state.sqlite")
        key = store.all(AccessKey)[0]
        store.close()
        settings = Config(
            access_key_id=key.id,
            access_key_secret=key.secret,
            endpoint=self.url.removeprefix("http://"),
            protocol="HTTP",
            region_id=REGION,
        )
        self.ecs, self.vpc = Ecs(settings), Vpc(settings)
        self.identity = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.identity)], check=True)
        public = Path(f"{self.identity}.pub").read_text()
        self.ecs.import_key_pair(m.ImportKeyPairRequest(**R, key_pair_name="ops", public_key_body=public))

    def start(self, port: int = 0) -> None:
        self.log = (self.folder / "log").open("a")
        place = ("--folder", str(self.folder / "cloud"), "--port", str(port))
        machines = ("--machines", self.image, "--name", self.name, "--destroy")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "emulator", "serve", *place, *machines],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.process.stdout
        said = self.process.stdout.readline()
        assert said, (self.folder / "log").read_text()
        self.url: str = json.loads(said)["url"]

    def kill(self) -> None:
        """As a machine that loses its power would: nothing is put in order."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=120) == 0, (self.folder / "log").read_text()

    def left(self) -> list[str]:
        """What is there of it on the engine."""
        wanted = {"label": f"berth.cloud={self.name}"}
        things = [
            *self.client.containers.list(all=True, filters=wanted),
            *self.client.networks.list(filters=wanted),
            *self.client.volumes.list(filters=wanted),
        ]
        return [str(thing.name) for thing in things]

    # --- what the tests make

    def network(self, block: str, *parts: str) -> tuple[str, list[str]]:
        """A VPC and its vSwitches."""
        vpc = self.vpc.create_vpc(v.CreateVpcRequest(**R, cidr_block=block)).body.vpc_id
        until("the VPC", lambda: self._settled(vpc))
        switches = []
        for part in parts:
            asked = v.CreateVSwitchRequest(**R, vpc_id=vpc, zone_id=ZONE, cidr_block=part)
            switches.append(self.vpc.create_vswitch(asked).body.v_switch_id)
        time.sleep(0.5)
        return vpc, switches

    def _settled(self, vpc: str) -> bool | None:
        asked = v.DescribeVpcAttributeRequest(**R, vpc_id=vpc)
        return self.vpc.describe_vpc_attribute(asked).body.status == "Available" or None

    def group(self, vpc: str) -> str:
        made: str = self.ecs.create_security_group(
            m.CreateSecurityGroupRequest(**R, vpc_id=vpc)
        ).body.security_group_id
        return made

    def allow(self, group: str, ports: str, **peer: Any) -> None:
        rule = {"ip_protocol": "tcp", "port_range": ports} | (peer or {"source_cidr_ip": "0.0.0.0/0"})
        self.ecs.authorize_security_group(
            m.AuthorizeSecurityGroupRequest(**R, security_group_id=group, **rule)
        )

    def run(self, switch: str, group: str, **more: Any) -> list[str]:
        settings = {"instance_type": "ecs.c7.large", "image_id": IMAGE, "key_pair_name": "ops"} | more
        asked = m.RunInstancesRequest(**R, v_switch_id=switch, security_group_id=group, **settings)
        made: list[str] = self.ecs.run_instances(asked).body.instance_id_sets.instance_id_set
        return made

    def told(self, instance: str) -> Any:
        asked = m.DescribeInstancesRequest(**R, instance_ids=f'["{instance}"]')
        found = self.ecs.describe_instances(asked).body.instances.instance
        return found[0] if found else None

    def reaches(self, instance: str, status: str) -> None:
        until(f"{instance} is {status}", lambda: self.told(instance).status == status or None, 60)

    def eip(self, instance: str) -> str:
        """A public address for it; the address."""
        made = self.vpc.allocate_eip_address(v.AllocateEipAddressRequest(**R)).body
        self.vpc.associate_eip_address(
            v.AssociateEipAddressRequest(**R, allocation_id=made.allocation_id, instance_id=instance)
        )
        address: str = made.eip_address
        return address

    def ssh(self, address: str, command: str) -> subprocess.CompletedProcess[str]:
        options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "ConnectTimeout=3",
            "LogLevel=ERROR",
        ]
        given = [word for one in options for word in ("-o", one)]
        return subprocess.run(
            ["ssh", "-i", str(self.identity), *given, f"root@{address}", command],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def answers(self, address: str, command: str = "true") -> str:
        """What the command prints on the machine, as soon as it can be asked."""

        def ask() -> str | None:
            done = self.ssh(address, command)
            return done.stdout if done.returncode == 0 else None

        return until(f"{address} answers `{command}`", ask, 60)

    def booted(self, address: str) -> None:
        """Waits for the end of the first boot, and looks at how it went."""
        told = json.loads(self.answers(address, "cloud-init status --wait --format json || true"))
        assert told["status"] == "done" and told["errors"] == [], told


def until(what: str, ask: Callable[[], Any], seconds: float = 20) -> Any:
    """The first answer that is not None; fails naming what was waited for."""
    end = time.monotonic() + seconds
    while (answer := ask()) is None:
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return answer
