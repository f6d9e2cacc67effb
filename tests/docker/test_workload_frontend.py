"""The audio editor's page: what its server answers, how it ends, and hot reload in a browser."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from docker.models.containers import Container
from playwright.sync_api import expect

from tests.docker.editor import editor, recording
from tests.docker.workloads import WORKLOADS, base, image, unit_tests, until
from tests.engine.browser import WAIT, edit_audio, page, screenshots

pytestmark = pytest.mark.docker

SOURCES = WORKLOADS / "frontend"


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env(timeout=600)
    yield found
    found.close()


def target(client: docker.DockerClient, name: str) -> str:
    """The id of the image of one stage."""
    args = {"BASE": base(client)}
    built, _ = client.images.build(path=str(SOURCES), target=name, buildargs=args, rm=True, forcerm=True)
    return str(built.id)


def start(client: docker.DockerClient, tag: str, **options: Any) -> tuple[Container, str]:
    """A healthy container hardened as systems.md says, and its address."""
    container = client.containers.run(
        tag,
        detach=True,
        read_only=True,
        tmpfs={"/tmp": ""},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        init=True,
        ports={"5173/tcp": ("127.0.0.1", 0)},
        **{"mem_limit": "128m", "memswap_limit": "128m", **options},
    )

    def healthy() -> bool | None:
        container.reload()
        assert container.status == "running", container.logs().decode()
        probe = container.exec_run(["probe", "http://127.0.0.1:5173/health"])
        return True if probe.exit_code == 0 else None

    until("frontend healthy", healthy)
    published = container.ports["5173/tcp"]
    assert published
    return container, f"http://127.0.0.1:{published[0]['HostPort']}"


def test_unit_tests_pass_on_the_images_own_node(client: docker.DockerClient) -> None:
    unit_tests(client, "frontend")


def test_the_built_page_is_served_and_ends_in_peace(client: docker.DockerClient) -> None:
    container, url = start(client, image(client, "frontend"))
    try:
        answer = httpx.get(f"{url}/projects/1")
        assert answer.headers["cache-control"] == "no-cache"
        assets = re.findall(r'(?:src|href)="(/assets/[^"]+)"', answer.text)
        assert {Path(asset).suffix for asset in assets} == {".js", ".css"}
        for asset in assets:
            found = httpx.get(url + asset)
            assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert found.headers["content-encoding"] in {"gzip", "br"}
        assert container.exec_run(["id", "-u"]).output == b"10001\n"
        with httpx.Client() as kept:  # a connection that stays open
            assert kept.get(f"{url}/health").json() == {"status": "ok"}
            container.kill("SIGTERM")
            until("draining", lambda: kept.get(f"{url}/health").status_code == 503 or None)
            assert container.wait(timeout=20)["StatusCode"] == 0
    finally:
        container.remove(force=True)


def test_a_person_edits_in_the_dev_server_and_a_change_shows_at_once(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    with editor(client) as it, tempfile.TemporaryDirectory(prefix="berth-src-") as folder:
        it.replica()
        source = Path(folder) / "src"
        shutil.copytree(SOURCES / "src", source)
        Path(folder).chmod(0o755)
        _, url = start(
            client,
            target(client, "dev"),
            labels={"test": it.id},
            network=it.id,
            environment={"BACKEND_URL": "http://backend:3000"},
            volumes={str(source): {"bind": "/app/src", "mode": "ro"}},
            mem_limit="512m",
            memswap_limit="512m",
        )
        with page(tmp_path / "home") as tab:
            visit = edit_audio(tab, url, recording(3.0), screenshots(tmp_path))
            assert visit.problems == []
            assert visit.percents == sorted(visit.percents)
            assert visit.percents[-1] == 100
            assert visit.seconds > 3
            assert {socket.split("?")[0].rpartition("/")[2] for socket in visit.sockets} == {"hmr", "ws"}
            tab.evaluate("window.same = true")
            view = source / "App.vue"
            view.write_text(view.read_text().replace("</span>Audio editor<", "</span>Changed<"))
            expect(tab.locator("h1")).to_have_text("Changed", timeout=WAIT)
            assert tab.evaluate("window.same") is True, "the page was loaded anew"
