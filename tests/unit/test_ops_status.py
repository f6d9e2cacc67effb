"""`./berth status` against what `docker inspect` says; skips, which `./berth test` counts as failures."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.checks import skips
from ops.status import Recorded, observe, recorded

NOW = datetime(2026, 1, 2, 3, 4, 15, tzinfo=UTC)
WEB = Recorded(id="1", name="web-1", service="web", image="app:1", stays=True, starts=True)
JOB = Recorded(id="2", name="job-1", service="job", image="app:1", stays=False, starts=True)
CARRIER = Recorded(id="3", name="files-1", service="web", image="app:1", stays=False, starts=False)


def inspected(status: str, *, health: str | None = None, code: int = 0) -> dict[str, Any]:
    state: dict[str, Any] = {
        "Status": status,
        "ExitCode": code,
        "StartedAt": "2026-01-02T03:04:05.123456789Z",
    }
    if health:
        state["Health"] = {"Status": health}
    ports = {"8010/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8010"}], "9010/tcp": None}
    return {"State": state, "Config": {"Image": "app:2"}, "NetworkSettings": {"Ports": ports}}


@pytest.mark.parametrize(
    ("container", "attributes", "state", "ok"),
    [
        (WEB, inspected("running", health="healthy"), "running", True),
        (WEB, inspected("running"), "running", True),
        (WEB, inspected("running", health="starting"), "running", False),
        (WEB, inspected("running", health="unhealthy"), "running", False),
        (WEB, inspected("exited", code=137), "exited (137)", False),
        (WEB, inspected("restarting"), "restarting", False),
        (WEB, None, "missing", False),
        (JOB, inspected("exited"), "exited (0)", True),
        (JOB, inspected("exited", code=1), "exited (1)", False),
        (CARRIER, inspected("created"), "created", True),
        (CARRIER, None, "missing", False),
    ],
)
def test_what_is_and_what_should_be(
    container: Recorded, attributes: dict[str, Any] | None, state: str, ok: bool
) -> None:
    seen = observe(container, attributes, now=NOW)
    assert (seen.state, seen.ok) == (state, ok)


def test_details_come_from_the_engine() -> None:
    seen = observe(WEB, inspected("running", health="healthy"), now=NOW)
    assert (seen.uptime, seen.image, seen.ports) == (10, "app:2", ("0.0.0.0:8010->8010/tcp",))


def test_old_containers_that_wait_for_deletion_are_not_recorded_ones() -> None:
    kind = "docker:index/container:Container"
    urn = f"urn:pulumi:dev::berth::{kind}::web"
    label = {"label": "berth.service", "value": "web"}
    resources = [
        {
            "type": kind,
            "urn": urn,
            "id": "1",
            "outputs": {"name": "web-1", "image": "app:1", "labels": [label]},
        },
        {"type": kind, "urn": urn, "id": "0", "delete": True, "outputs": {"name": "web-0"}},
        {"type": "docker:index/network:Network", "urn": urn, "id": "n"},
    ]
    assert recorded({"deployment": {"resources": resources}}) == [WEB]
    assert recorded({"deployment": None}) == []


def test_skips_are_found(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="a" name="runs"/>'
        '<testcase classname="a" name="waits"><skipped message="no engine"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert skips(report) == [("a::waits", "no engine")]
    assert skips(tmp_path / "none.xml") == []
