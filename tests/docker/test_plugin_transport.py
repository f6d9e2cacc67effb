"""Ways to an engine, each against a real one: TLS with mutual certificates, ssh with options, contexts, none
at all.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from offline.docker.engine import Engine
from offline.provider.resource import ResourceError
from tests.docker.engines import engine_address, free_subnet, start_engine
from tests.ports import free_port

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def _no_docker_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DOCKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def subnet() -> IPv4Network:
    """Where the engine's network namespace meets ours."""
    return free_subnet()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory, subnet: IPv4Network) -> Path:
    """A folder as DOCKER_CERT_PATH wants it, plus a server's certificate for the engine's address."""
    folder = tmp_path_factory.mktemp("certs")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    openssl(
        folder, "req", "-x509", *new_key, "-subj", "/CN=test CA", "-keyout", "ca-key.pem", "-out", "ca.pem"
    )
    for name, extension in {
        "server": f"subjectAltName=IP:{engine_address(subnet)}",
        "client": "extendedKeyUsage=clientAuth",
    }.items():
        openssl(
            folder,
            *("req", "-x509", *new_key, "-subj", f"/CN={name}", "-addext", extension),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-keyout", f"{name}-key.pem", "-out", f"{name}.pem"),
        )
    (folder / "client.pem").rename(folder / "cert.pem")
    (folder / "client-key.pem").rename(folder / "key.pem")
    return folder


@pytest.fixture(scope="module")
def tls_engine(certificates: Path, subnet: IPv4Network) -> Iterator[str]:
    url = f"tcp://{engine_address(subnet)}:2376"
    home = Path("/tmp", f"bp{secrets.token_hex(3)}")
    home.mkdir()
    options = [
        "--host",
        url,
        "--tlsverify",
        "--tlscacert",
        str(certificates / "ca.pem"),
    ]
    options += [
        "--tlscert",
        str(certificates / "server.pem"),
        "--tlskey",
        str(certificates / "server-key.pem"),
    ]
    try:
        with start_engine(home, options=options, subnet=subnet):
            yield url
    finally:
        shutil.rmtree(home)


def test_tls_from_a_folder(tls_engine: str, certificates: Path) -> None:
    assert Engine({"host": tls_engine, "certPath": str(certificates)}).api.ping()


def test_tls_from_pem_text(tls_engine: str, certificates: Path) -> None:
    names = {"caMaterial": "ca.pem", "certMaterial": "cert.pem", "keyMaterial": "key.pem"}
    material = {name: (certificates / file).read_text() for name, file in names.items()}
    engine = Engine({"host": tls_engine, **material})
    assert engine.api.ping()
    assert engine.api.containers() == []


def test_tls_from_the_environment(
    tls_engine: str, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", tls_engine)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
    assert Engine({}).api.ping()


def test_a_client_without_certificate_is_turned_away(tls_engine: str) -> None:
    with pytest.raises(ResourceError, match="no Docker engine answers at tcp://"):
        _ = Engine({"host": tls_engine}).api


def test_half_a_pair_of_material_is_refused(tls_engine: str) -> None:
    with pytest.raises(ResourceError, match="belong together"):
        _ = Engine({"host": tls_engine, "certMaterial": "x"}).api


def test_a_folder_without_certificates_is_named(tls_engine: str, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=f"no {tmp_path}/ca.pem and no"):
        _ = Engine({"host": tls_engine, "certPath": str(tmp_path)}).api


@dataclass
class SshServer:
    url: str
    options: list[str]
    folder: Path


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """An sshd on loopback with its own host key, which lets in one key of ours."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None:
        pytest.fail("there is no sshd; install openssh-server")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
            check=True,
            capture_output=True,
        )
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    port = free_port()
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nUsePAM no\nMaxStartups 2:100:2\n"
    )
    Path("/run/sshd").mkdir(
        exist_ok=True
    )  # sshd's privilege separation needs it; the init script makes it elsewhere
    known = (folder / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(known)}\n")
    server = subprocess.Popen(
        [sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        options = ["-i", f"{folder}/user", "-o", f"UserKnownHostsFile={folder}/known_hosts", "-F", "none"]
        yield SshServer(f"ssh://root@127.0.0.1:{port}", options, folder)
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("sshd did not come up")


def test_ssh_with_options(ssh_server: SshServer) -> None:
    engine = Engine({"host": ssh_server.url, "sshOpts": ssh_server.options})
    try:
        assert engine.api.ping()
        assert engine.api.info()["ID"] == Engine({}).api.info()["ID"]
    finally:
        engine.close()


def test_ssh_options_from_the_environment(ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", ssh_server.url)
    monkeypatch.setenv("DOCKER_SSH_OPTS", " ".join(ssh_server.options))
    engine = Engine({})
    try:
        assert engine.api.ping()
    finally:
        engine.close()


def test_many_at_once_share_one_connection(ssh_server: SshServer) -> None:
    """This sshd takes two connections that are not logged in yet; the official provider loses some then."""
    engine = Engine({"host": ssh_server.url, "sshOpts": ssh_server.options})
    failed: list[Exception] = []

    def ask() -> None:
        try:
            for _ in range(5):
                engine.api.version()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(24)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
    finally:
        engine.close()


def test_ssh_output_streams(ssh_server: SshServer, busybox_image: str) -> None:
    engine = Engine({"host": ssh_server.url, "sshOpts": ssh_server.options})
    api = engine.api
    box = api.create_container(
        busybox_image,
        ["sh", "-c", "echo one; sleep 0.3; echo two"],
        name=f"plugin-test-{secrets.token_hex(3)}",
    )
    try:
        api.start(box["Id"])
        assert b"".join(api.logs(box["Id"], stream=True, follow=True)) == b"one\ntwo\n"
    finally:
        api.remove_container(box["Id"], force=True)
        engine.close()


def test_a_wrong_key_says_what_ssh_said(ssh_server: SshServer, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    options = ["-i", f"{tmp_path}/other", "-o", "IdentitiesOnly=yes", *ssh_server.options[2:]]
    with pytest.raises(ResourceError, match="Permission denied"):
        _ = Engine({"host": ssh_server.url, "sshOpts": options}).api


def test_an_unknown_host_key_is_refused(ssh_server: SshServer, tmp_path: Path) -> None:
    options = [*ssh_server.options[:2], "-F", "none", "-o", f"UserKnownHostsFile={tmp_path}/none"]
    with pytest.raises(ResourceError, match="Host key verification failed"):
        _ = Engine({"host": ssh_server.url, "sshOpts": options}).api


def context(folder: Path, name: str, host: str) -> None:
    meta = folder / "contexts" / "meta" / secrets.token_hex(4) / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(tmp_path, "far", "tcp://10.0.0.1:2376")
    (tmp_path / "contexts" / "meta" / "broken").mkdir()
    (tmp_path / "contexts" / "meta" / "broken" / "meta.json").write_text("{")
    assert Engine({"context": "far", "host": "unix:///x"}).host == "tcp://10.0.0.1:2376"
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    assert Engine({}).host == "tcp://10.0.0.1:2376"
    with pytest.raises(ResourceError, match=r"no docker context 'near' .*there are: far"):
        _ = Engine({"context": "near"}).host


def test_no_engine_names_the_place_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ResourceError) as failed:
        _ = Engine({"host": f"unix://{tmp_path}/none.sock"}).api
    assert (
        "none.sock" in str(failed.value)
        and "No such file" in str(failed.value)
        and "fix:" in str(failed.value)
    )


def test_a_host_without_scheme_is_refused() -> None:
    with pytest.raises(ResourceError, match="no scheme"):
        _ = Engine({"host": "10.0.0.1:2375"}).host


@pytest.fixture
def no_ssh_command(ssh_server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with our key and host key, and no ssh on PATH."""
    home = tmp_path / ".ssh"
    home.mkdir()
    shutil.copy(ssh_server.folder / "user", home / "id_ed25519")
    shutil.copy(ssh_server.folder / "known_hosts", home / "known_hosts")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.mark.usefixtures("no_ssh_command")
def test_without_the_ssh_command(ssh_server: SshServer) -> None:
    engine = Engine({"host": ssh_server.url})
    try:
        assert engine.api.ping() and engine.api.containers(filters={"name": "none"}) == []
    finally:
        engine.close()


@pytest.mark.usefixtures("no_ssh_command")
def test_options_without_the_ssh_command_are_refused(ssh_server: SshServer) -> None:
    with pytest.raises(ResourceError, match="sshOpts needs the ssh command"):
        _ = Engine({"host": ssh_server.url, "sshOpts": ["-v"]}).api
