"""The edge and the handover as resources; certificates that cannot serve are refused before there are any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pulumi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from components.base import Identity
from components.containers.handover import Handover, UpstreamSpec
from components.containers.health import HealthCheck, HttpProbe
from components.containers.image import EngineImage, Image
from components.containers.network import ExistingNetwork
from components.containers.service import PublishedPort, Service, ServiceSpec, StartFirst, StopFirst
from components.edge.certificate import check_certificate
from components.edge.edge import Edge
from components.edge.routes import Proxy, Route
from components.edge.sites import EdgeSpec, Site, Tls
from components.units import Address, Duration
from tests.unit.program import SECRET, Registration, register

IDENTITY = Identity(stack="dev", system="test", service="app")
NOW = datetime(2030, 1, 15, tzinfo=UTC)


def pem(*, days: int = 30, began: datetime = NOW - timedelta(days=1), other_key: bool = False) -> str:
    key, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key((signer if other_key else key).public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=days))
        .sign(signer, hashes.SHA256())
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (text + certificate.public_bytes(Encoding.PEM)).decode()


def test_a_certificate_that_serves_is_passed_on() -> None:
    text = pem()
    assert check_certificate("public", text, now=NOW) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (pem(other_key=True), "does not match its private key"),
        (pem(began=NOW - timedelta(days=60)), "CN=localhost expired on 2029-12-16"),
        (pem(began=NOW + timedelta(hours=1)), "valid from 2030-01-15 01:00 UTC"),
        ("", "no private key"),
        (pem().partition("-----BEGIN CERTIFICATE")[0], "no certificate in it"),
    ],
)
def test_a_certificate_that_cannot_serve_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        check_certificate("public", text, now=NOW)
    assert "certificate public: " in str(caught.value) and "fix: " in str(caught.value)
    assert "BEGIN" not in str(caught.value)


def image(name: str) -> Image:
    return Image(f"{name}-image", EngineImage(kind="engine", name=f"{name}:1"))


def system(
    rollout: StartFirst | StopFirst, certificate: str | None = None, command: tuple[str, ...] = ("serve",)
) -> Edge:
    nginx, network = image("nginx"), ExistingNetwork("net")
    door = Handover(
        "app-door",
        UpstreamSpec(name="app", port=8080, drain=Duration("20s"), pause=Duration("10s")),
        image=nginx,
        identity=IDENTITY,
    )
    Service(
        "app",
        ServiceSpec(
            identity=IDENTITY,
            alias="app",
            command=command,
            rollout=rollout,
            health=HealthCheck(probe=HttpProbe(port=8080)),
        ),
        image=image("app"),
        network=network,
        handover=door,
    )
    site = Site(
        name="web",
        port=443,
        tls=Tls(certificate="public", redirect_from=80) if certificate else None,
        routes=(Route(path="/", to=Proxy(upstream="app")),),
    )
    return Edge(
        "edge",
        EdgeSpec(identity=IDENTITY, sites=(site,), publish=(PublishedPort(container=443, host=443),)),
        image=nginx,
        network=network,
        upstreams=[door],
        certificates={"public": pulumi.Output.secret(certificate)} if certificate else None,
    )


def made(rollout: StartFirst | StopFirst, certificate: str | None = None) -> dict[str, Registration]:
    return {item.name: item for item in register(lambda: system(rollout, certificate))}


def test_a_replica_is_replaced_only_when_the_edge_serves_the_one_before() -> None:
    found = made(StopFirst(replicas=3, address=Address("172.20.0.20")))
    for number in (1, 2, 3):
        replica, listed = found[f"app-{number}"], found[f"app-door-{number}-carrier"]
        assert replica.inputs["entrypoints"][:2] == ["sh", "-c"] and replica.inputs["command"] == ["serve"]
        assert replica.inputs["destroyGraceSeconds"] == 30
        assert listed.inputs["uploads"][0]["content"] == f"app-{number}-0000000 app 8080\n"
        step = found[f"app-door-{number}-served-step"]
        assert step.inputs["command"] == [f"app-{number}-0000000", "0" if number == 3 else "10"]
        assert step.options["delete_before_replace"] is False
        if number > 1:
            assert replica.options["depends_on"] == [f"app-door-{number - 1}-served-step"]
    assert found["app-1"].inputs["networksAdvanced"][0]["ipv4Address"] == "172.20.0.20"
    assert "ipv4Address" not in found["app-2"].inputs["networksAdvanced"][0]
    assert set(found["edge-nginx-1"].options["depends_on"]) >= {"app-3", "app-door-3-served-step"}


def test_the_edge_changes_in_place_and_its_certificate_is_a_secret() -> None:
    now = datetime.now(UTC)
    found = made(StartFirst(replicas=2), pem(began=now - timedelta(days=1)))
    nginx = found["edge-nginx-1"].inputs
    assert nginx["user"] == "101:101" and nginx["readOnly"] and nginx["capabilities"] == {"drops": ["ALL"]}
    mounts = {mount["target"]: mount for mount in nginx["mounts"]}
    for target in ("/etc/edge/config", "/run/secrets", "/etc/edge/upstreams/app"):
        assert mounts[target]["readOnly"] and mounts[target]["source"], target
    assert found["edge-nginx-secrets-carrier"].inputs["uploads"] == SECRET or (
        found["edge-nginx-secrets-carrier"].inputs["uploads"][0]["content"] == SECRET
    )
    assert found["edge-accepted-step"].options["depends_on"] == ["edge-nginx-1"]


def test_a_bad_certificate_stops_before_its_carrier_is_made() -> None:
    with pytest.raises(Exception, match="expired"):
        made(StartFirst(), pem(began=datetime(2020, 1, 1, tzinfo=UTC)))


def test_a_service_that_hands_over_names_its_command() -> None:
    with pytest.raises(ValueError, match="app has no command"):
        register(lambda: system(StartFirst(), command=()))
