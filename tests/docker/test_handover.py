"""Out of the edge before SIGTERM, and by its own word alone: real replicas and a real edge, no stack."""

from __future__ import annotations

import json
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
import httpx
import pytest
from docker.models.containers import Container

import components.edge
from bench.traffic import traffic
from components.containers import handover
from components.containers.handover import STATE, UpstreamSpec
from components.edge.config import nginx_conf
from components.edge.routes import Proxy, Route
from components.edge.sites import EdgeSpec, Site
from components.units import Duration
from tests import engine
from tests.docker.edges import NGINX, REFUSES
from tests.docker.test_edge import archive
from tests.docker.workloads import image, until
from tests.unit.test_edge_config import IDENTITY

pytestmark = pytest.mark.docker
WATCH = Path(components.edge.__file__).with_name("watch.sh").read_text()
LEAVE = Path(handover.__file__).with_name("leave.sh").read_text()
ECHO = Path(engine.__file__).with_name("echo.py").read_text()
DRAIN = 20
# The edge's look at names: after `touch FORGETS` once without an answer for this service's, with another's.
FORGETS = "/run/edge-state/forgets"
GETENT = f"""#!/bin/sh
if mv {FORGETS} {FORGETS}.done 2>/dev/null; then
    echo "127.0.0.9 another-service"
else
    exec /usr/bin/getent "$@"
fi
"""


class Stand:
    """Replicas of the service `app`, which drop everything at SIGTERM, behind an edge."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client, self.name = client, f"handover-test-{secrets.token_hex(3)}"
        self.images = {name: image(client, name) for name in ("nginx", "api-gateway")}
        self.containers: list[Container] = []
        memory = {"type": "tmpfs", "device": "tmpfs", "o": "mode=0777"}
        self.volumes = [client.volumes.create(f"{self.name}-state", driver_opts=memory)]
        self.volumes.append(client.volumes.create(f"{self.name}-edge", driver_opts=memory))
        self.network = client.networks.create(self.name)
        self.edge = self._edge()

    def _edge(self) -> Container:
        site = Site(name="web", port=80, routes=(Route(path="/", to=Proxy(upstream="app")),))
        made = self.client.containers.create(
            self.images["nginx"],
            entrypoint=["sh", "/etc/edge/bin/watch.sh"],
            name=f"{self.name}-edge",
            user="101:101",
            init=True,
            network=self.name,
            ports={"80/tcp": ("127.0.0.1", None)},
            tmpfs={"/tmp": "size=64m"},
            volumes={
                f"{self.name}-state": {"bind": f"{STATE}/app"},
                f"{self.name}-edge": {"bind": "/run/edge-state"},
            },
        )
        self.containers.append(made)
        spec = EdgeSpec(identity=IDENTITY, sites=(site,))
        text = nginx_conf(spec, [UpstreamSpec(name="app", port=8080, drain=Duration(f"{DRAIN}s"))])
        slots = {"etc/edge/upstreams/app/0": "nobody app 8080\n"}
        made.put_archive(
            "/",
            archive(
                {
                    "etc/edge/bin/watch.sh": WATCH,
                    "etc/edge/config/nginx.conf": text,
                    "usr/local/sbin/nginx": NGINX,
                    "usr/local/sbin/getent": GETENT,
                    **slots,
                }
            ),
        )
        made.start()
        return made

    def replica(
        self, number: int, *, drain: int = DRAIN, seconds: int = 4, files: Mapping[str, str] | None = None
    ) -> Container:
        """Served once this returns. seconds: of a slow request. files: /app has commands that come first."""
        made = self.client.containers.create(
            self.images["api-gateway"],
            entrypoint=["sh", "-c", f"PATH=/app:$PATH\n{LEAVE}", "leave", str(drain)],
            command=["python3", "/app/echo.py"],
            name=f"{self.name}-{number}",
            init=True,
            network=self.name,
            environment={"ABRUPT": "1", "START": "0", "SECONDS": str(seconds), "VERSION": str(number)},
            volumes={f"{self.name}-state": {"bind": STATE}},
        )
        self.containers.append(made)
        made.put_archive("/", archive({"app/echo.py": ECHO, **(files or {})}))
        made.start()
        until(f"replica {number} listens", lambda: b"listens" in made.logs() or None)
        slot = {f"etc/edge/upstreams/app/{number}": f"{made.name} app 8080\n"}
        self.edge.put_archive("/", archive(slot))
        until(f"replica {number} is served", lambda: self.address(number) in self.said("serving") or None)
        return made

    def address(self, number: int) -> str:
        networks = self.client.containers.get(f"{self.name}-{number}").attrs["NetworkSettings"]["Networks"]
        return str(networks[self.name]["IPAddress"])

    def said(self, key: str) -> list[str]:
        """A line of what the edge says that it does."""
        text = self.edge.exec_run(["cat", f"{STATE}/app/status"]).output.decode()
        return next((line.split()[1:] for line in text.splitlines() if line.startswith(key)), [])

    @property
    def url(self) -> str:
        self.edge.reload()
        return f"http://127.0.0.1:{self.edge.ports['80/tcp'][0]['HostPort']}"

    def remove(self) -> None:
        for container in self.containers:
            container.remove(force=True, v=True)
        self.network.remove()
        for volume in self.volumes:
            volume.remove()


@pytest.fixture
def stand(client: docker.DockerClient) -> Iterator[Stand]:
    made = Stand(client)
    try:
        yield made
    finally:
        made.remove()


@contextmanager
def slow_requests(url: str, count: int) -> Iterator[list[int | str]]:
    """So many requests in flight; their statuses, or what became of them, after the block."""
    answers: list[int | str] = []

    def ask() -> None:
        try:
            answers.append(httpx.post(f"{url}/slow", timeout=60, trust_env=False).status_code)
        except httpx.HTTPError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    yield answers
    for thread in threads:
        thread.join()


def test_what_a_program_that_drops_everything_has_in_flight_is_finished_first(stand: Stand) -> None:
    first = stand.replica(1)
    stand.replica(2)
    with traffic(stand.url, rate=10, sockets=0) as seen, slow_requests(stand.url, 6) as answers:
        first.stop(timeout=DRAIN + 10)
        # Whoever left and is still listed does not keep the edge from those that come after it.
        stand.replica(3)
        until("the third one is asked", lambda: seen.versions.get("3"), 60)
    assert answers == [200] * 6, answers
    assert seen.failures == [] and set(seen.versions) == {"1", "2", "3"}, seen


def test_a_change_that_nginx_cannot_take_just_now_is_made_later_and_not_reported_before(stand: Stand) -> None:
    first = stand.replica(1)
    stand.replica(2)
    address = stand.address(1)

    def refuses(end: str) -> None:
        assert stand.edge.exec_run(["sh", "-c", end]).exit_code == 0

    def refused() -> int:
        return stand.edge.logs().count(b"refused upstreams, and tries again")

    with traffic(stand.url, rate=20, sockets=0) as seen:
        refuses(f": >{REFUSES}")
        leaving = threading.Thread(target=lambda: first.stop(timeout=DRAIN + 10))
        leaving.start()
        until("nginx refuses", lambda: refused() or None)
        time.sleep(3)
        # nginx still asks the one that wants to leave, so that it stays.
        assert address in stand.said("serving") and leaving.is_alive() and refused() == 1
        refuses(f"rm {REFUSES}")
        leaving.join()
        assert address not in stand.said("serving")
    assert seen.failures == [] and set(seen.versions) == {"1", "2"}, seen


def test_a_name_without_an_answer_is_asked_for_again_before_its_replica_is_left_out(stand: Stand) -> None:
    """The engine's name server may be slow for one name, on a busy host; one that is gone is left out."""
    replica = stand.replica(1)
    forgets = [
        "sh",
        "-c",
        f"touch {FORGETS} && until [ -e {FORGETS}.done ]; do sleep 0.1; done; rm {FORGETS}.done",
    ]
    with traffic(stand.url, rate=50, sockets=2) as seen:
        for _ in range(3):
            assert stand.edge.exec_run(forgets).exit_code == 0
            time.sleep(3)
    assert seen.failures == [] and set(seen.versions) == {"1"}, seen
    replica.kill()
    until("it is left out", lambda: stand.said("serving") == [] or None, 20)


def test_a_busy_host_does_not_keep_the_signal_from_a_replica_until_docker_kills_it(stand: Stand) -> None:
    # What takes a fifth of a second elsewhere takes two here.
    slow = {"app/sleep": "#!/bin/sh\nexec /bin/sleep 2\n"}
    replica = stand.replica(1, drain=4, seconds=60, files=slow)
    with slow_requests(stand.url, 1) as answers:
        replica.stop(timeout=4 + 10)
    assert replica.wait()["StatusCode"] == 128 + signal.SIGTERM
    assert answers == [502]


def test_marks_that_nobody_repeats_take_nobody_out_for_long(stand: Stand) -> None:
    for number in (1, 2):
        stand.replica(number)
    first, second = stand.address(1), stand.address(2)

    def mark(address: str, said: str) -> None:
        put = f"echo '{said}' >{STATE}/leaving.{address}"
        assert stand.containers[1].exec_run(["sh", "-c", put]).exit_code == 0

    with traffic(stand.url, rate=20, sockets=0) as seen:
        # What is no time, and a time that has not come, says nothing.
        mark(second, "x[$(id)]")
        time.sleep(2)
        mark(second, str(int(time.time()) + 1000))
        time.sleep(2)
        assert {first, second} <= set(stand.said("serving"))
        # Replicas that an earlier version started leave with an empty mark, once.
        empty = ["sh", "-c", f": >{STATE}/leaving.{second}"]
        assert stand.containers[1].exec_run(empty).exit_code == 0
        until("one is left out", lambda: second not in stand.said("serving") or None, 10)
        until("it heals", lambda: second in stand.said("serving") or None, 60)
        mark(second, str(int(time.time())))
        until("one is left out", lambda: second not in stand.said("serving") or None, 10)
        # Both are left out, by marks alone: the replicas run.
        mark(first, str(int(time.time())))
        until("both serve", lambda: {first, second} <= set(stand.said("serving")) or None, 10)
        until("a word about it", lambda: b"none is left out" in stand.edge.logs() or None, 10)
        mark(second, str(int(time.time())))
        stand.containers[1].exec_run(["rm", f"{STATE}/leaving.{first}"])
        until("one is left out", lambda: second not in stand.said("serving") or None, 10)
        until("it heals", lambda: second in stand.said("serving") or None, 40)
    assert seen.failures == [], json.dumps(seen.failures[:5])


def answers(url: str) -> bool:
    """Whether there is an answer; before nginx listens, Docker takes the connection and closes it."""
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_a_replica_cannot_hold_up_the_edge_by_what_it_writes(client: docker.DockerClient) -> None:
    stand = Stand(client)
    try:
        first = stand.replica(1)
        for trap in ("mkfifo status.new", "rm status.new; ln -s /tmp/edge/current/nginx.conf status.new"):
            assert first.exec_run(["sh", "-c", f"cd {STATE} && {trap}"]).exit_code == 0
            told = stand.said("beat")
            until("the edge goes on telling", lambda told=told: stand.said("beat") > told or None, 60)
        second = stand.replica(2)
        assert stand.address(2) in stand.said("serving")
        stand.edge.restart(timeout=10)
        until("it starts again", lambda: answers(stand.url) or None, 60)
        assert stand.address(2) in stand.said("serving")
        second.reload()
    finally:
        stand.remove()
