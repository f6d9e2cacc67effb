"""Ways to a Docker engine that the docker SDK has not, or not well enough: ssh with options, TLS from PEM
text.
"""

from __future__ import annotations

import atexit
import http.client
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests.adapters
import requests.utils
import urllib3
from docker import APIClient
from docker.tls import TLSConfig

from offline.provider.resource import ResourceError

_SESSIONS: Final = 8  # of the ten that sshd allows on one connection by default
_SERVER_COMMAND: Final = ("docker", "system", "dial-stdio")
_REMOTE: Final = "http+docker://dial"  # the SDK treats its own `//ssh` differently
_FIRST_VERSION: Final = "1.24"  # to ask with, before the engine has told its own


def direct(host: str, tls: TLSConfig | None, connections: int, *, timeout: float | None = None) -> APIClient:
    """An API client for a socket or a TCP address, with that many kept connections.

    timeout: seconds that the engine may be silent. None: for ever, for a build step or a stop may be silent
    for as long as it takes.
    """
    client = _client(host, tls=tls or False, max_pool_size=connections, timeout=timeout)
    if not host.startswith("unix://"):
        client.proxies.update(requests.utils.get_environ_proxies(client.base_url))
    return _negotiated(client)


def _client(host: str, *, timeout: float | None, **options: Any) -> APIClient:
    return APIClient(host, version=_FIRST_VERSION, timeout=timeout, **options)  # type: ignore[arg-type]


def _negotiated(client: APIClient) -> APIClient:
    client.trust_env = False  # else REQUESTS_CA_BUNDLE takes the place of the engine's own CA
    client._version = client._retrieve_server_version()  # type: ignore[attr-defined]
    return client


def tls_from_path(folder: Path) -> TLSConfig:
    """TLS from `ca.pem`, `cert.pem` and `key.pem` in a folder."""
    ca, cert, key = (folder / f"{name}.pem" for name in ("ca", "cert", "key"))
    missing = [str(file) for file in (ca, cert, key) if not file.is_file()]
    if missing:
        raise ResourceError(
            f"no {' and no '.join(missing)}", fix="put the engine's TLS files there, or change certPath"
        )
    return TLSConfig(client_cert=(str(cert), str(key)), ca_cert=str(ca), verify=True)


def tls_from_material(ca: str, cert: str, key: str) -> TLSConfig:
    """TLS from PEM text. Without `ca` the engine's certificate is not verified: what the official provider
    does.
    """
    folder = tempfile.mkdtemp(prefix="berth-tls-")  # OpenSSL reads files only, again for every new connection
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    paths = {name: Path(folder, f"{name}.pem") for name in ("ca", "cert", "key")}
    for path, text in zip(paths.values(), (ca, cert, key), strict=True):
        path.write_text(text, "utf-8")
    return TLSConfig(
        client_cert=(str(paths["cert"]), str(paths["key"])),
        ca_cert=str(paths["ca"]) if ca else None,
        verify=bool(ca),
    )


def over_ssh(host: str, options: list[str], *, timeout: float | None = None) -> APIClient:
    """An API client for `ssh://[user@]host[:port]`. It runs the ssh command, with `options` before the
    address. timeout: as of `direct`.
    """
    if shutil.which("ssh") is None:
        if options:
            raise ResourceError(
                "docker:sshOpts needs the ssh command, and there is none on PATH",
                fix="install openssh-client, or put the options into ~/.ssh/config and remove docker:sshOpts",
            )
        return _negotiated(_client(host, timeout=timeout))
    client = _client("http://ssh:1", timeout=timeout)
    client.base_url = _REMOTE
    client.mount(_REMOTE, _Adapter(host, options))
    return _negotiated(client)


class _Session(socket.socket):
    """One end of a socket pair; an ssh process holds the other, so that all of urllib3 works as on any
    socket.
    """

    process: subprocess.Popen[bytes]

    def close(self) -> None:
        super().close()
        if self.process.poll() is None:
            self.process.terminate()


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, command: list[str], **options: Any) -> None:
        super().__init__("ssh", **options)
        self._command = command

    def connect(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when an answer fails to come
        ours, theirs = socket.socketpair()
        with theirs:
            session = _Session(fileno=ours.detach())
            # a session of its own: Ctrl-C belongs to the engine, which tells this plugin in its own time
            end = theirs.fileno()
            session.process = subprocess.Popen(
                self._command, stdin=end, stdout=end, stderr=self._errors, start_new_session=True
            )
            self.sock = session

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except (http.client.HTTPException, OSError) as error:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()
            raise OSError(said or f"ssh: {error}") from None


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, command: list[str]) -> None:
        super().__init__("ssh", maxsize=_SESSIONS, block=True)
        self._command = command

    def _new_conn(self) -> Any:
        return _Connection(self._command)


class _Adapter(requests.adapters.HTTPAdapter):
    """Requests to an engine behind ssh. All sessions share one connection, for sshd drops many that come at
    once.
    """

    def __init__(self, host: str, options: list[str]) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="berth-ssh-")
        self._pool = _Pool(_command(host, options, Path(self._folder.name)))

    def get_connection_with_tls_context(self, *_args: Any, **_kwargs: Any) -> Any:
        return self._pool

    def request_url(self, request: Any, _proxies: Any) -> str:
        return str(request.path_url)

    def close(self) -> None:
        self._pool.close()
        self._folder.cleanup()


def _command(host: str, options: list[str], folder: Path) -> list[str]:
    address = urlsplit(host)
    if not address.hostname or address.path not in ("", "/"):
        raise ResourceError(f"'{host}' is no address over ssh", fix="write ssh://[user@]host[:port]")
    command = ["ssh", *options]  # ssh takes the first value of an option: the user's stands before ours
    for option in (
        "BatchMode=yes",
        "ConnectTimeout=30",
        "ServerAliveInterval=30",
        "ControlMaster=auto",
        f"ControlPath={folder}/%C",
        "ControlPersist=10",
    ):
        command += ["-o", option]
    if address.username:
        command += ["-l", address.username]
    if address.port:
        command += ["-p", str(address.port)]
    return [*command, "--", address.hostname, *_SERVER_COMMAND]
