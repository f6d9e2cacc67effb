"""The image `care` with volumes, and what a backup goes to: an S3 server, an SFTP server."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.models.volumes import Volume

from tests.docker.workloads import image, until

USER = 10001
PASSWORD = "a password of the repository"
GATEWAY = "github.com/versity/versitygw/cmd/versitygw@v1.0.14"
KEYS = {"access_key": "an-access-key", "secret_key": "a-secret-key-of-s3"}
_SSHD = """\
FROM {care}
USER 0
RUN apt-get -qq update \\
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends openssh-server >/dev/null
USER 10001:10001
"""


def s3_server() -> Path:
    """An S3 server for files, as one static program; built once for this machine."""
    folder = Path.home() / ".cache" / "berth-test" / hashlib.sha256(GATEWAY.encode()).hexdigest()[:12]
    program = folder / "versitygw"
    if not program.exists():
        env = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0", "GOFLAGS": "-trimpath"}
        subprocess.run(["go", "install", GATEWAY], env=env, check=True, capture_output=True)
    return program


class Care:
    """One system's backup: volumes `data` and `backup`, settings and secrets as files."""

    def __init__(self, client: docker.DockerClient, folder: Path, *, room: str | None = None) -> None:
        self.client, self.folder = client, folder
        self.id = f"care-test-{secrets.token_hex(3)}"
        self.image = image(client, "care")
        self.network = client.networks.create(self.id)
        self.data = self.volume("data")
        self.backup = self.volume("backup", room)
        self.settings: dict[str, Any] = {"owner": "test/editor", "folders": ["/data/files"]}
        self.known_hosts = ""
        self.config, self.secrets = folder / "config", folder / "secrets"
        for path in (self.config, self.secrets):
            path.mkdir(mode=0o755)
        self.secret("repository_password", PASSWORD)

    def volume(self, name: str, room: str | None = None) -> Volume:
        """Of the user of the image; room: its size, in memory."""
        options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={room},uid={USER},mode=0700"}
        made = self.client.volumes.create(
            f"{self.id}-{name}", driver="local", driver_opts=options if room else None
        )
        self.run("true", volumes={made.name: "/volume"}, user="0", command=["chown", f"{USER}", "/volume"])
        return made

    def secret(self, name: str, text: str) -> None:
        path = self.secrets / name
        path.write_text(text + "\n")
        path.chmod(0o444)

    def run(self, alias: str, **options: Any) -> Container:
        """A container of another kind, to its end."""
        command, volumes = options.pop("command"), options.pop("volumes", {})
        container = self.client.containers.run(
            self.image,
            command,
            detach=True,
            labels={"test": self.id},
            volumes={name: {"bind": path, "mode": "rw"} for name, path in volumes.items()},
            **options,
        )
        assert container.wait()["StatusCode"] == 0, (alias, container.logs())
        container.remove()
        return container

    def start(self, command: list[str] | None = None, **options: Any) -> Container:
        """The backup's container, as narrow as a stack makes it; it waits to be told, or does `command`."""
        self.write()
        return self.client.containers.run(
            self.image,
            command or ["sleep", "infinity"],
            detach=True,
            init=True,
            labels={"test": self.id},
            network=self.network.name,
            read_only=True,
            tmpfs={"/tmp": "mode=1777"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit="512m",
            memswap_limit="512m",
            environment={"TZ": "UTC"},
            volumes={
                self.data.name: {"bind": "/data/files", "mode": "rw"},
                self.backup.name: {"bind": "/backup", "mode": "rw"},
                str(self.config): {"bind": "/etc/care", "mode": "ro"},
                str(self.secrets): {"bind": "/run/secrets", "mode": "ro"},
            },
            **options,
        )

    def write(self) -> None:
        """The settings as they are now."""
        (self.config / "backup.json").write_text(json.dumps(self.settings))
        (self.config / "known_hosts").write_text(self.known_hosts)

    def serve(self, name: str, command: list[str], *, image: str = "", **options: Any) -> Container:
        """A server on the same network, found under this name."""
        container = self.client.containers.create(
            image or self.image,
            command,
            init=True,
            labels={"test": self.id},
            network=self.network.name,
            networking_config={self.id: self.client.api.create_endpoint_config(aliases=[name])},
            **options,
        )
        container.start()
        return container

    def s3(self, volume: Volume) -> Container:
        """Reached as s3:9000, with KEYS and the bucket `backups`."""
        program = s3_server()
        for name, value in KEYS.items():
            self.secret(name, value)
        self.settings["off_site"] = {
            "kind": "s3", "url": "s3:http://s3:9000/backups/editor", "host": "s3", "port": 9000,
            "lookup": "path", "region": "us-east-1",
        }  # fmt: skip
        server = self.serve(
            "s3",
            ["/versitygw", "--port", ":9000", "posix", "--nometa", "/objects"],
            environment={"ROOT_ACCESS_KEY": KEYS["access_key"], "ROOT_SECRET_KEY": KEYS["secret_key"]},
            volumes={
                volume.name: {"bind": "/objects", "mode": "rw"},
                str(program): {"bind": "/versitygw", "mode": "ro"},
            },
        )  # fmt: skip
        self.listens(server, 9000)
        return server

    def sftp(self, volume: Volume) -> Container:
        """Reached as sftp:2222, with a key of its own."""
        ssh = self.folder / "ssh"
        ssh.mkdir()
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ssh / name], check=True)
        shutil.copy(ssh / "client.pub", ssh / "authorized_keys")
        for path in (ssh, *ssh.iterdir()):
            shutil.chown(path, USER, USER)
        self.secret("sftp_key", (ssh / "client").read_text())
        self.known_hosts = f"[sftp]:2222 {(ssh / 'host.pub').read_text()}"
        self.settings["off_site"] = {
            "kind": "sftp", "url": "sftp:app@sftp:/objects/editor", "host": "sftp", "port": 2222,
            "user": "app",
        }  # fmt: skip
        options = (
            "UsePAM=no", "PidFile=none", "StrictModes=no", "AuthorizedKeysFile=/ssh/authorized_keys",
            "Subsystem=sftp internal-sftp", "ForceCommand=internal-sftp",
        )  # fmt: skip
        server = self.serve(
            "sftp",
            [
                *("/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", "2222", "-h", "/ssh/host"),
                *(f"-o{one}" for one in options),
            ],
            image=self._sshd(),
            volumes={
                volume.name: {"bind": "/objects", "mode": "rw"},
                str(ssh): {"bind": "/ssh", "mode": "ro"},
            },
        )  # fmt: skip
        self.listens(server, 2222)
        return server

    def listens(self, server: Container, port: int) -> None:
        """Waits until it takes connections."""

        def ask() -> bool | None:
            server.reload()
            assert server.status == "running", server.logs()
            said = server.exec_run(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"])
            return True if said.exit_code == 0 else None

        until(f"port {port}", ask)

    def _sshd(self) -> str:
        tag = f"berth-test/sshd:{self.image.rpartition(':')[2]}"
        if not self.client.images.list(tag):
            file = io.BytesIO(_SSHD.format(care=self.image).encode())
            self.client.images.build(fileobj=file, tag=tag, rm=True, forcerm=True)
        return tag

    def close(self) -> None:
        """Removes everything of ours."""
        for container in self.client.containers.list(all=True, filters={"label": f"test={self.id}"}):
            container.remove(force=True, v=True)
        self.network.remove()
        for volume in self.client.volumes.list(filters={"name": self.id}):
            volume.remove(force=True)


@contextmanager
def care(client: docker.DockerClient, **options: Any) -> Iterator[Care]:
    """One that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="berth-care-") as folder:
        Path(folder).chmod(0o755)
        made = Care(client, Path(folder), **options)
        try:
            yield made
        finally:
            made.close()


def put(container: Container, files: dict[str, bytes], folder: str = "/data/files") -> None:
    """Writes files through the container, as its user."""
    for name, content in files.items():
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.gid, info.mode = len(content), USER, USER, 0o640
            tar.addfile(info, io.BytesIO(content))
        assert container.put_archive(folder, stream.getvalue())


def does(container: Container, *command: str) -> tuple[int, str]:
    """Exit status and all that it said."""
    done = container.exec_run(list(command))
    return int(done.exit_code), done.output.decode(errors="replace")


def digests(container: Container, folder: str = "/data/files") -> dict[str, str]:
    """Path to SHA-256 of all files below the folder."""
    code, said = does(container, "sh", "-c", f"cd {folder} && find . -type f -exec sha256sum {{}} +")
    assert code == 0, said
    return {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in said.splitlines()}
