"""Systems on an nginx as new as the official image's, and users of theirs who never send a request again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
from docker.models.containers import Container

from bench.traffic import Ask, Traffic, Users, traffic
from tests.docker.editor import Person
from tests.docker.workloads import base, image
from tests.engine.deployment import Deployment


def newer_nginx(engine: docker.DockerClient) -> dict[str, Any]:
    """What a stack's `nginx.image` says: one of its user's own, with the paths of the official one."""
    args = {"BASE": base(engine), "REFERENCE": image(engine, "nginx")}
    return {"source": "build", "context": "tests/docker/nginx-newer", "args": args}


def edge(engine: docker.DockerClient, stack: str) -> Container:
    """The container of the stack's nginx."""
    labels = [f"berth.stack={stack}", "berth.service=nginx"]
    found = engine.containers.list(filters={"label": labels, "status": "running"})
    (only,) = [it for it in found if it.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"]
    return only


def generation(edge: Container) -> int:
    """How many configurations nginx has had; each but the first came by a reload."""
    code, output = edge.exec_run(["readlink", "/tmp/edge/current"])
    assert code == 0, output
    return int(output.decode().strip().rpartition("-")[2])


def readers_and_writers(deployment: Deployment, exported: str) -> Users:
    """celery's: every tenth request is an export, for a worker to do. exported: one that is done."""
    with deployment.client() as client:
        page = client.get("/").text
    styles, *_ = [part.split('"')[0] for part in page.split('"/static/')[1:]]
    trust = deployment.trust()
    assert not isinstance(trust, bool)
    get = [
        Ask("GET", path)
        for path in (f"/api/exports/{exported}/file", f"/static/{styles}", "/api/tasks?limit=1")
    ]
    export = Ask("POST", "/api/exports", json.dumps({"rows": [{"a": 1}]}).encode(), 202)
    return Users(asks=[export, *get * 3], trust=trust)


def editors(person: Person, *paths: str) -> Users:
    """cloud-api's: every fifth request is a POST; the WebSocket is the one that tells of edits."""
    assert person.trust
    project = Ask("POST", "/api/projects", json.dumps({"name": "while it changed"}).encode(), 201)
    asks = [Ask("GET", path) for path in paths or ("/", "/api/me", "/api/voices", "/health")]
    cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
    socket = person.url.replace("http", "ws", 1) + "/ws"
    return Users(asks=[project, *asks], headers={"Cookie": cookies}, trust=person.trust, socket=socket)


def is_too_busy(failure: str) -> bool:
    """Whether a failure is a service's own word about its database; nginx's 503 is a page."""
    return re.search(r": ValueError: 503 b'\{.*database", failure) is not None


@contextmanager
def nothing_is_sent_again(
    engine: docker.DockerClient, stack: str, url: str, users: Users, *, sockets: int
) -> Iterator[Traffic]:
    """Users over kept connections during the block. Fails where one met a failure, or none was at risk.

    On a machine that is too busy a service may give up its database, and says so itself in a whole answer:
    that is none of the edge's doing, as long as it stays the exception.
    """
    door = edge(engine, stack)
    before = generation(door)
    with traffic(url, users, rate=40, sockets=sockets, resend=False) as seen:
        yield seen
    busy = [failure for failure in seen.failures if is_too_busy(failure)]
    lost = [failure for failure in seen.failures if failure not in busy]
    assert lost == [] and seen.cut == [], (lost[:5], seen.cut[:5])
    assert len(busy) <= seen.asked * 0.02, busy[:5]
    assert seen.answered > 500 and seen.kept > seen.answered * 0.9, "connections were kept and used again"
    reloads = generation(door) - before
    # An old process that still has its connections answers the next request on each, and asks to leave.
    assert reloads >= 2 and seen.dismissed >= reloads, (reloads, seen.dismissed)
