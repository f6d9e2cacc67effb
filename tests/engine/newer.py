"""Systems on an nginx as new as the official image's, and users of theirs who never send a request again."""

from __future__ import annotations

import json
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
    """cloud-api's: one request of four is a POST; the WebSocket is the one that tells of edits.

    /health is not among them: it is to fail where a database is slow, and nothing of a user's is lost then.
    """
    assert person.trust
    project = Ask("POST", "/api/projects", json.dumps({"name": "while it changed"}).encode(), 201)
    asks = [Ask("GET", path) for path in paths or ("/", "/api/me", "/api/voices")]
    cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
    socket = person.url.replace("http", "ws", 1) + "/ws"
    return Users(asks=[project, *asks], headers={"Cookie": cookies}, trust=person.trust, socket=socket)


@contextmanager
def nothing_is_sent_again(
    engine: docker.DockerClient, stack: str, url: str, users: Users, *, sockets: int
) -> Iterator[Traffic]:
    """Users over kept connections during the block. Fails where one met a failure, or none was at risk."""
    door = edge(engine, stack)
    before = generation(door)
    with traffic(url, users, rate=40, sockets=sockets, resend=False) as seen:
        yield seen
    assert seen.failures == [] and seen.cut == [], (seen.failures[:5], seen.cut[:5])
    # A busy machine has more requests at the same time, and each of them a connection.
    assert seen.answered > 500 and seen.kept > seen.answered * 0.5, (seen.answered, seen.kept)
    reloads = generation(door) - before
    # An old process that still has its connections answers the next request on each, and asks to leave.
    assert reloads >= 2 and seen.dismissed >= reloads, (reloads, seen.dismissed)
