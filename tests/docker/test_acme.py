"""Certificates from a real ACME server: issued, served, renewed; and what stands in their way."""

from __future__ import annotations

import time
from collections.abc import Iterator

import docker
import httpx
import pytest
from docker.models.containers import Container

from tests.docker.acme import NAMES, World, health
from tests.docker.pebble import REFUSED
from tests.docker.workloads import until

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def world(client: docker.DockerClient) -> Iterator[World]:
    made = World(client)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def certbot(world: World) -> Container:
    """Running; the tests of this module change it one after the other."""
    assert world.trusted() is None, "the edge starts with a certificate that nobody trusts"
    return world.certbot()


def test_a_certificate_is_issued_and_served(world: World, certbot: Container) -> None:
    assert health(certbot)[0] == 0, certbot.logs().decode()
    for name in NAMES:
        until(f"{name} over TLS", lambda name=name: world.trusted(name))
    base = f"http://127.0.0.1:{world.edge.port(80)}"
    answer = httpx.get(f"{base}/x?y=1", headers={"Host": NAMES[0]}, trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{NAMES[0]}/x?y=1")
    assert httpx.get(f"{base}/.well-known/acme-challenge/none", trust_env=False).status_code == 404
    modes = certbot.exec_run(["stat", "-c", "%a %u:%g", "/certificates/public.pem", "/certificates"]).output
    assert modes.decode().split("\n")[:2] == ["400 101:101", "700 101:101"]


def test_nothing_is_asked_for_again_by_whoever_starts_anew(world: World, certbot: Container) -> None:
    before = world.pebble.said(["new-order"])
    certbot.restart(timeout=10)
    assert health(certbot)[0] == 0
    again = world.certbot()
    assert health(again)[0] == 0
    again.remove(force=True)
    assert world.pebble.said(["new-order"]) == before
    assert [it["outcome"] for it in world.ledger(certbot)] == ["issued"]


def test_a_renewed_one_is_served_without_a_failed_request(world: World, certbot: Container) -> None:
    before = world.trusted()
    certbot.kill("SIGUSR1")
    end = time.monotonic() + 60
    while world.trusted() == before:
        assert time.monotonic() < end, certbot.logs().decode()
        url = f"http://127.0.0.1:{world.edge.port(80)}/"
        assert httpx.get(url, trust_env=False).status_code == 301
    assert world.trusted() is not None
    kept = certbot.exec_run(["cat", "/certificates/previous/public.pem"]).output
    assert kept.count(b"BEGIN CERTIFICATE") == 2


def test_without_the_server_the_old_one_is_served_and_health_says_why(
    world: World, certbot: Container
) -> None:
    before = world.trusted()
    root = world.pebble.root
    world.pebble.container.stop(timeout=2)
    certbot.kill("SIGUSR1")
    failed = until("the failure", lambda: said if (said := health(certbot))[0] else None, 60)
    assert "the ACME server pebble:14000 does not answer; fix: let this host reach it" in failed[1]
    assert "asked again at" in failed[1] and "failure number 1 in a row" in failed[1]
    assert world.trusted() == before
    world.edge.container.restart(timeout=10)
    until("the edge after a restart", lambda: world.trusted() == before or None)
    world.pebble.start()
    certbot.kill("SIGUSR1")
    until("a new one, from the new root", world.trusted, 60)
    assert health(certbot)[0] == 0 and world.pebble.root != root


def test_what_stands_in_the_way_is_named(world: World, certbot: Container) -> None:
    before, orders = world.trusted(), world.pebble.said(["new-order"])
    certbot.stop(timeout=10)
    nowhere, elsewhere = "nowhere.berth.test", "pebble"

    def said(*domains: str) -> str:
        tried = world.certbot(world.wish(*domains))
        code, words = health(tried)
        tried.remove(force=True)
        assert code == 1
        return words

    words = said(NAMES[0], nowhere)
    assert f"the certificate in use is not for {nowhere}" in words
    assert f"{nowhere} does not resolve" in words and f"add a DNS record for {nowhere}" in words
    world.elsewhere("elsewhere.berth.test")
    words = said("elsewhere.berth.test")
    assert "elsewhere.berth.test does not lead here: at " in words and "(HTTP 404)" in words
    assert world.pebble.said(["new-order"]) == orders, "none of these cost a request"
    words = said(REFUSED)
    assert "the ACME server pebble:14000 refused: " in words and REFUSED in words
    # Port 80 of this one is closed, which only the server can judge.
    words = said(elsewhere)
    assert "open port 80 of this host to the world" in words
    again = said(elsewhere)
    assert "failure number 1 in a row" in again, "no second request before the backoff is over"
    assert world.trusted() == before


def test_a_server_that_is_not_trusted_is_named(world: World, certbot: Container) -> None:
    tried = world.certbot(world.wish("www.audio.berth.test", authority=None))
    code, words = health(tried)
    tried.remove(force=True)
    assert code == 1
    assert "the certificate of the ACME server pebble:14000 is not trusted; fix: give" in words


def test_the_end_of_a_certificate_is_seen_in_time(client: docker.DockerClient) -> None:
    world = World(client, seconds=75)
    try:
        certbot = world.certbot()
        assert health(certbot)[0] == 0, certbot.logs().decode()
        first = until("the first one", world.trusted)
        until("it is renewed by itself", lambda: world.trusted() not in (None, first) or None, 180)
        world.pebble.container.stop(timeout=2)
        said = until("the alarm", lambda: it if "expires on" in (it := health(certbot)[1]) else None, 90)
        assert "and was not renewed" in said and "does not answer" in said
        until("the end", lambda: "expired on" in health(certbot)[1] or None, 60)
    finally:
        world.close()
