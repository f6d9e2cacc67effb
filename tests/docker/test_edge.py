"""The edge's program in the reference image: what nginx takes, what it refuses, and what serves meanwhile."""

from __future__ import annotations

import io
import re
import secrets
import ssl
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import docker
import httpx
import pytest
from docker.models.containers import Container

from components.containers.handover import UpstreamSpec
from components.edge.config import nginx_conf
from components.edge.routes import Answer, Proxy, Route
from components.edge.sites import CSP, HSTS, SECURITY, UNDELIVERED, EdgeSpec, Header, Site, Tls
from tests.docker.edges import NGINX, REFUSES, WATCH, Edge, archive
from tests.docker.images import busybox_rootfs
from tests.docker.workloads import image, until
from tests.unit.test_edge import pem
from tests.unit.test_edge_config import IDENTITY, UPSTREAMS, WHOLE

pytestmark = pytest.mark.docker

SERVES = r"beat \d+\nserved [0-9a-f]{64}\nrefused \n"
"""All of its status where nothing is wrong."""


ZONE = "limit_conn_zone $%s zone=z:1m;"
"""Another key for the same zone passes nginx's check; the running one, which has the memory, refuses it."""


def conf(text: str) -> str:
    routes = (Route(path="/", to=Answer(kind="answer", status=200, text=text)),)
    sites = (
        Site(name="plain", port=80, routes=routes),
        Site(name="tls", port=443, routes=routes, tls=Tls(certificate="public")),
    )
    return nginx_conf(EdgeSpec(identity=IDENTITY, sites=sites), [])


@pytest.fixture(params=["dash", "busybox"])
def edge(request: pytest.FixtureRequest, client: docker.DockerClient) -> Iterator[Edge]:
    """Once with Debian's tools, once with those of Alpine before them."""
    shell = ["sh"] if request.param == "dash" else ["/bb/bin/busybox", "sh"]
    made = Edge(client, shell)
    if request.param == "busybox":
        out = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(busybox_rootfs())) as inner,
            tarfile.open(fileobj=out, mode="w") as tar,
        ):
            for member in inner.getmembers():
                if member.name.startswith("bin/"):
                    data = inner.extractfile(member) if member.isfile() else None
                    member.name = f"bb/{member.name}"
                    tar.addfile(member, data)
        made.container.put_archive("/", out.getvalue())
        path = "export PATH=/bb/bin:$PATH\n"
    else:
        path = ""
    made.put("etc/edge/bin", {"watch.sh": path + WATCH})
    made.put("usr/local/sbin", {"nginx": NGINX})
    made.put("etc/edge/config", {"nginx.conf": conf("one")})
    made.put("run/secrets", {"public.pem": fresh()})
    made.start()
    yield made
    made.remove()


def der(bundle: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(bundle[bundle.index("-----BEGIN CERT") :])


def fresh() -> str:
    return pem(began=datetime.now(UTC) - timedelta(days=1))


def test_a_change_is_taken_up_and_a_bad_one_is_refused_in_nginx_own_words(edge: Edge) -> None:
    assert edge.text() == "one"
    edge.put("etc/edge/config", {"nginx.conf": "no_such_directive on;\n" + conf("two")})
    until("the refusal", lambda: "no_such_directive" in edge.status() or None)
    assert edge.text() == "one"
    edge.put("etc/edge/config", {"nginx.conf": conf("three")})
    until("the mended one", lambda: edge.text() == "three" or None)
    until("its status", lambda: re.fullmatch(SERVES, edge.status()))


def test_a_renewed_certificate_is_served_without_a_lost_request(edge: Edge) -> None:
    before = edge.certificate()
    url = f"http://127.0.0.1:{edge.port(80)}/"
    edge.put("run/secrets", {"public.pem": fresh()})
    end = time.monotonic() + 20
    while edge.certificate() == before:
        assert time.monotonic() < end, edge.container.logs().decode()
        assert httpx.get(url, trust_env=False).text == "one"


def test_what_nginx_could_not_take_for_a_moment_it_takes_later_by_itself(edge: Edge) -> None:
    issued = fresh()
    assert edge.container.exec_run(["touch", REFUSES]).exit_code == 0
    edge.put("etc/edge/config", {"nginx.conf": conf("two")})
    edge.put("etc/edge/certificates", {"public.pem": issued})

    def said(words: bytes) -> int:
        return edge.container.logs().count(words)

    until("both refusals", lambda: (said(b"refused a conf") and said(b"refused cert")) or None)
    time.sleep(32)  # one more try of each, of which nothing is said: the reason is the same
    assert edge.text() == "one" and (said(b"refused a conf"), said(b"refused cert")) == (1, 1)
    assert edge.container.exec_run(["rm", REFUSES]).exit_code == 0
    until("the configuration", lambda: edge.text() == "two" or None)
    until("the certificate", lambda: edge.certificate() == der(issued) or None)


def test_what_nginx_accepts_but_does_not_take_is_none_that_it_serves(edge: Edge) -> None:
    """Its check knows nothing of the memory that the running one has."""

    def zoned(key: str, said: str) -> dict[str, str]:
        return {"nginx.conf": conf(said).replace("http {", f"http {{ {ZONE % key}", 1)}

    first = edge.status().splitlines()[1]
    edge.put("etc/edge/config", zoned("binary_remote_addr", "two"))
    until("one with a zone", lambda: edge.text() == "two" or None)
    # Its workers answer a moment before the edge says so.
    until("its status", lambda: edge.status().splitlines()[1] != first or None)
    served = edge.status().splitlines()[1]
    edge.put("etc/edge/config", zoned("server_name", "three"))
    until("the refusal", lambda: "did not take it" in edge.status() or None)
    assert edge.text() == "two" and edge.status().splitlines()[1] == served
    issued = fresh()
    edge.put("etc/edge/certificates", {"public.pem": issued})
    until("certificates beside it", lambda: edge.certificate() == der(issued) or None)
    edge.put("etc/edge/config", zoned("binary_remote_addr", "four"))
    until("the next one", lambda: edge.text() == "four" or None)


def test_an_nginx_that_takes_nothing_is_told_of_once(edge: Edge) -> None:
    edge.master("STOP")
    edge.put("etc/edge/config", {"nginx.conf": conf("two")})
    until("the refusal", lambda: "did not take it" in edge.status() or None)
    time.sleep(14)  # two more tries
    logs = edge.container.logs().decode()
    assert logs.count("edge: gives nginx again what it had, and tries again: nginx did not take it") == 1
    assert [it for it in logs.splitlines() if it.startswith("edge: refused")] == [
        "edge: refused a configuration: nginx did not take it within 5 s; its words are in the edge's log",
    ]
    assert edge.text() == "one"
    edge.master("CONT")
    until("the configuration", lambda: edge.text() == "two" or None)
    until("its status", lambda: re.fullmatch(SERVES, edge.status()))


def test_what_nginx_never_takes_is_tried_ever_more_seldom(client: docker.DockerClient) -> None:
    edge = Edge(client)
    edge.put("etc/edge/bin", {"watch.sh": WATCH.replace("_wait=30", "_wait=6")})
    edge.put(
        "etc/edge/config", {"nginx.conf": conf("one").replace("http {", f"http {{ {ZONE % 'remote_addr'}", 1)}
    )
    edge.put("run/secrets", {"public.pem": fresh()})
    try:
        edge.start()
        edge.put(
            "etc/edge/config", {"nginx.conf": conf("two").replace("http {", f"http {{ {ZONE % 'host'}", 1)}
        )
        until("the refusal", lambda: "did not take it" in edge.status() or None)
        time.sleep(55)
        tried = edge.container.logs().count(b"uses the")
        assert tried in (3, 4), tried  # at 0, 6, 18 and 42 s; each 6 s it would be nine or ten
        assert edge.text() == "one"
    finally:
        edge.remove()


def test_certificates_that_come_by_themselves_stand_before_given_ones(edge: Edge) -> None:
    given, good, better = edge.certificate(), fresh(), fresh()
    edge.put("etc/edge/certificates", {"public.pem": good})
    until("the issued one", lambda: edge.certificate() == der(good) or None)
    edge.put("etc/edge/certificates", {"public.pem": pem(other_key=True)})
    until("the refusal", lambda: "refused certificates" in edge.container.logs().decode() or None)
    edge.put("etc/edge/config", {"nginx.conf": conf("two")})
    until("a new configuration", lambda: edge.text() == "two" or None)
    assert edge.certificate() == der(good) != given
    edge.put("etc/edge/certificates", {"public.pem": better})
    until("the mended one", lambda: edge.certificate() == der(better) or None)
    edge.put("etc/edge/certificates", {"public.pem": "broken", "previous/public.pem": good})
    edge.container.restart(timeout=10)
    until("the edge after a restart", lambda: edge.text() == "two" or None)
    assert edge.certificate() == der(good), edge.container.logs().decode()


def test_it_stops_gracefully(edge: Edge) -> None:
    began = time.monotonic()
    edge.container.kill("SIGQUIT")
    assert edge.container.wait(timeout=120)["StatusCode"] == 0
    assert time.monotonic() - began < 60


ASKED = Site(
    name="asked",
    port=8081,
    headers=tuple(Header(name=name, value="from the service") for name in (CSP, "Cache-Control", "X-Other")),
    routes=(Route(path="/", to=Answer(kind="answer", status=200, text="served")),),
)
# It closes a connection once it has the request: for a name that it does not know.
CUT = Site(name="cut", port=8082, hosts=("nobody",), routes=ASKED.routes)
DOOR = Site(
    name="door",
    port=443,
    # The last one: as long as a name may be.
    hosts=("localhost", "127.0.0.1", "example.com", f"{'.'.join(['a' * 62] * 4)}.b"),
    tls=Tls(certificate="public", redirect_from=80),
    headers=(*SECURITY, Header(name="X-" + "a" * 98, value="long")),
    routes=(
        Route(path="/", to=Proxy(upstream="asked")),
        Route(path="/static/", to=Proxy(upstream="asked"), immutable=True),
        Route(path="/cut", to=Proxy(upstream="cut")),
        Route(path="/gone", to=Proxy(upstream="gone")),
    ),
    tells_undelivered=True,
)


@pytest.fixture(scope="module")
def door(client: docker.DockerClient) -> Iterator[Container]:
    """A site that asks another site of the same nginx."""
    spec = EdgeSpec(identity=IDENTITY, sites=(DOOR, ASKED, CUT))
    upstreams = {"asked": "127.0.0.1:8081", "cut": "127.0.0.1:8082", "gone": "127.0.0.1:1"}
    text = nginx_conf(spec, [UpstreamSpec(name=name, port=8081) for name in upstreams])
    files = {
        "nginx.conf": "".join(it for it in text.splitlines(True) if "keepalive_min" not in it),
        "tls/public.pem": fresh(),
    } | {f"upstreams/{name}.conf": f"server {address};\n" for name, address in upstreams.items()}
    serve = "mkdir -p /tmp/edge && exec nginx -c /conf/nginx.conf -g 'daemon off;'"
    made = client.containers.create(
        image(client, "nginx"),
        ["sh", "-c", serve],
        name=f"edge-test-{secrets.token_hex(3)}",
        ports={"80/tcp": ("127.0.0.1", None), "443/tcp": ("127.0.0.1", None)},
    )
    made.put_archive("/", archive({f"conf/{name}": text for name, text in files.items()}))
    made.start()

    def answer() -> str | None:
        made.reload()
        try:
            return ask(made, "https://", "localhost").text
        except (httpx.HTTPError, KeyError, IndexError):
            return None

    try:
        until("the door answers", answer)
        yield made
    except AssertionError as error:
        raise AssertionError(made.logs().decode()) from error
    finally:
        made.remove(force=True, v=True)


def ask(door: Container, url: str, host: str) -> httpx.Response:
    """Over the address, as a browser does whose name server was told a lie."""
    scheme, _, path = url.partition("://")
    port = door.ports["443/tcp" if scheme == "https" else "80/tcp"][0]["HostPort"]
    certificate = httpx.Client(verify=False, trust_env=False, timeout=10)
    with certificate as browser:
        return browser.get(f"{scheme}://127.0.0.1:{port}/{path}", headers={"Host": host})


def test_each_header_is_said_once_and_by_the_edge(door: Container) -> None:
    plain, kept = (ask(door, f"https://{path}", "example.com") for path in ("", "static/x"))
    for answer in (plain, kept):
        assert answer.text == "served"
        for header in DOOR.headers:
            assert answer.headers.get_list(header.name) == [header.value]
        assert answer.headers.get_list(HSTS) == ["max-age=31536000"]
        assert answer.headers.get_list("X-Other") == ["from the service"]
    assert plain.headers.get_list("Cache-Control") == ["from the service"]
    assert kept.headers.get_list("Cache-Control") == ["public, max-age=31536000, immutable"]
    assert HSTS not in ask(door, "https://", "localhost").headers


def test_an_error_tells_whether_a_service_got_the_request(door: Container) -> None:
    for path, status, said in (("gone", 502, ["yes"]), ("cut", 502, []), ("", 200, [])):
        answer = ask(door, f"https://{path}", "localhost")
        assert (answer.status_code, answer.headers.get_list(UNDELIVERED)) == (status, said), path


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "EXAMPLE.com:443", DOOR.hosts[-1]])
def test_a_site_answers_to_its_names(door: Container, host: str) -> None:
    assert ask(door, "https://", host).status_code == 200
    plain = ask(door, "http://x?y=z", host)
    name = host.lower().partition(":")[0]
    assert (plain.status_code, plain.headers["Location"]) == (301, f"https://{name}/x?y=z")


@pytest.mark.parametrize("host", ["evil.example", "example.com.evil.example", "10.0.0.1", "nginx"])
def test_a_name_that_is_not_ours_is_refused_and_nobody_is_sent_to_it(door: Container, host: str) -> None:
    answer = ask(door, "https://", host)
    assert answer.status_code == 421 and "served" not in answer.text
    assert ask(door, "http://x", host).headers["Location"] == "https://localhost/x"


def test_nginx_takes_a_whole_configuration(client: docker.DockerClient) -> None:
    # What watch.sh leaves out for the nginx of the reference image.
    text = "".join(it for it in nginx_conf(WHOLE, UPSTREAMS).splitlines(True) if "keepalive_min" not in it)
    files = {"nginx.conf": text, "tls/public.pem": fresh()}
    for upstream in UPSTREAMS:
        files[f"upstreams/{upstream.name}.conf"] = "server 127.0.0.1:1 down;\n"
    tried = client.containers.create(
        image(client, "nginx"), ["sh", "-c", "mkdir -p /tmp/edge && nginx -t -c /conf/nginx.conf"]
    )
    tried.put_archive("/", archive({f"conf/{name}": text for name, text in files.items()}))
    tried.start()
    code, words = tried.wait()["StatusCode"], tried.logs().decode()
    tried.remove()
    assert code == 0 and "warn" not in words, words
