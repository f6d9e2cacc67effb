"""A system whose door has its certificate from an ACME server: refused, issued, renewed, kept."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.models.containers import Container

from tests.docker.edges import plain_nginx
from tests.docker.pebble import Pebble
from tests.docker.workloads import until
from tests.engine.deployment import Deployment
from tests.engine.test_new_system import page
from tests.guide import write

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1200)]
NAME = "notes.acme.test"


class Door(Deployment):
    """The system of docs/new-system.md with a public name, which this machine's DNS would lead here."""

    def __init__(self, tmp: Path, engine: docker.DockerClient) -> None:
        super().__init__(tmp, "notes")
        self.engine = engine
        self.hosts = tmp / "hosts"
        self.hosts.write_text(f"127.0.0.1 localhost {NAME}\n")
        (self.folder / f"Pulumi.{self.stack}.yaml").unlink()
        for block in page(self):
            if block.language != "sh":
                write(block, self.folder)
            elif "workloads" in block.text:
                self.shell(f"set -eu\n{block.text}")
        apart = engine.networks.create(f"acme-test-{self.stack}", labels={"test": self.stack})
        self.pebble = Pebble(engine, str(apart.name), self.stack)
        trusted = tmp / "acme.pem"
        trusted.write_text(self.pebble.authority.certificate + self.pebble.root)
        certificate = {
            "kind": "acme",
            "email": "ops@acme.test",
            "server": self.pebble.server,
            "authority": str(trusted),
        }
        self.settings: dict[str, Any] = {
            "app": {"replicas": 1},
            "nginx": {"hosts": [NAME], "certificate": certificate},
        }
        self.configure(self.settings)

    def _run(
        self, command: list[str], *, text: str | None = None, check: bool
    ) -> subprocess.CompletedProcess[str]:
        seen = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(self.hosts)]
        return super()._run([*seen, *command], text=text, check=check)

    def publish(self) -> None:
        """The name leads to the door, and the ACME server can be reached, as on the Internet."""
        network = self.engine.networks.get(f"{self.stack}-network")
        network.connect(self.pebble.container, aliases=["pebble"])
        endpoint = self.engine.api.create_endpoint_config(aliases=[NAME])
        plain_nginx(
            self.engine,
            "listen 80; resolver 127.0.0.11 valid=1s; location / { set $to nginx; "
            "proxy_pass http://$to:80; proxy_set_header Host $host; }",
            labels={"test": self.stack},
            network=network.name,
            networking_config={network.name: endpoint},
        )

    def withdraw(self) -> None:
        """Takes away what is not of the stack."""
        for container in self.engine.containers.list(all=True, filters={"label": f"test={self.stack}"}):
            container.remove(force=True, v=True)
        for network in self.engine.networks.list(filters={"label": f"test={self.stack}"}):
            network.remove()

    def serial(self) -> str | None:
        """Of the certificate that it serves, where a client accepts it."""
        context = ssl.create_default_context(cadata=self.pebble.root)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port)) as raw,
                context.wrap_socket(raw, server_hostname=NAME) as secure,
            ):
                return str((secure.getpeercert() or {})["serialNumber"])
        except OSError:
            return None

    def certbot(self) -> Container:
        """The one that runs."""
        mine = {"label": [f"berth.stack={self.stack}", "berth.service=certbot"], "status": "running"}
        (found,) = self.engine.containers.list(filters=mine)
        return found


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[Door]:
    made = Door(tmp_path_factory.mktemp("acme"), engine)
    try:
        yield made
    finally:
        made.withdraw()
        if any(made.objects(engine).values()):
            made.berth("destroy", "--with-data", text=f"{made.stack}\n", check=False)


def test_a_name_that_leads_nowhere_fails_the_update_by_name(door: Door) -> None:
    done = door.berth("up", check=False)
    assert done.returncode
    said = done.stdout + done.stderr
    assert f"{NAME} does not resolve" in said and f"add a DNS record for {NAME}" in said, said
    assert door.serial() is None


def test_once_it_leads_here_the_next_update_ends_with_a_certificate(door: Door) -> None:
    door.publish()
    door.berth("up")
    assert door.serial()
    assert "https://" + NAME in door.berth("status").stdout
    stack = yaml.safe_load((door.folder / f"Pulumi.{door.stack}.yaml").read_text())["config"]
    assert [*stack["berth:secrets"]] == ["notes_redis_password"], "no certificate was made for it"


def test_a_preview_shows_no_change_and_a_second_update_asks_for_nothing(door: Door) -> None:
    before, orders = door.serial(), door.pebble.said(["new-order"])
    door.berth("preview", "--expect-no-changes")
    certbot = door.certbot().id
    door.settings["nginx"]["certificate"]["email"] = "other@acme.test"
    door.configure(door.settings)
    door.berth("up")
    assert door.certbot().id != certbot
    assert door.serial() == before and door.pebble.said(["new-order"]) == orders


def test_a_renewed_one_is_served_and_changes_nothing_in_the_stack(door: Door) -> None:
    before = door.serial()
    door.certbot().kill("SIGUSR1")
    until("the renewed one", lambda: door.serial() not in (None, before) or None, 120)
    door.berth("preview", "--expect-no-changes")


def test_without_the_acme_server_the_old_one_is_served_and_status_says_so(door: Door) -> None:
    before = door.serial()
    door.pebble.container.stop(timeout=2)
    door.certbot().kill("SIGUSR1")

    def unhealthy() -> str | None:
        found = door.certbot()
        return found.name if found.attrs["State"]["Health"]["Status"] == "unhealthy" else None

    until("the health check", unhealthy, 120)
    done = door.berth("status", check=False)
    assert done.returncode and "certbot" in done.stdout + done.stderr
    assert door.serial() == before


def test_destroy_keeps_the_certificate_and_the_account(door: Door, engine: docker.DockerClient) -> None:
    door.withdraw()
    door.berth("destroy", "--yes")
    kept = [name.removeprefix(f"notes-{door.stack}-") for name in door.objects(engine)["volumes"]]
    assert {"certbot", "nginx-certs"} <= set(kept)
    door.berth("destroy", "--with-data", text=f"{door.stack}\n")
    assert door.objects(engine)["volumes"] == []
