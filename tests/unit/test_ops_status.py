"""`./berth status` against what `docker inspect` says; skips, which `./berth test` counts as failures."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops import authority
from ops.checks import skips
from ops.observed import observe
from ops.recorded import Door, Membership, Recorded, containers, data_volumes, doors, unmade
from ops.repair import MADE_AGAIN, REPLACED, RESUMED, RESUMED_AND_REPLACED, RUN_AGAIN, remedy_for
from ops.status import Report, document, show

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
        (JOB, inspected("exited"), "done", True),
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
    assert containers({"deployment": {"resources": resources}}) == [replace(WEB, urn=urn)]
    assert containers({"deployment": None}) == []


def test_a_container_belongs_on_its_networks_under_its_names() -> None:
    web = replace(WEB, networks=(Membership(network="inner", aliases=frozenset({"web"})),))
    attributes = inspected("running", health="healthy")
    attributes["NetworkSettings"]["Networks"] = {"inner": {"NetworkID": "n1", "Aliases": ["web", "0123"]}}
    assert observe(web, attributes, now=NOW).ok
    by_id = replace(WEB, networks=(Membership(network="n1"),))
    assert observe(by_id, attributes, now=NOW).ok
    attributes["NetworkSettings"]["Networks"] = {"inner": {"NetworkID": "n1", "Aliases": ["0123"]}}
    assert observe(web, attributes, now=NOW).problems == ("not known as web on network inner",)
    attributes["NetworkSettings"]["Networks"] = {}
    assert observe(web, attributes, now=NOW).problems == ("not on network inner",)


@pytest.mark.parametrize(
    ("attributes", "remedy"),
    [
        (inspected("running", health="healthy"), None),
        (inspected("running", health="starting"), None),
        (inspected("running", health="unhealthy"), REPLACED),
        (inspected("restarting"), REPLACED),
        (inspected("paused"), RESUMED),
        (inspected("paused", health="healthy"), RESUMED),
        (inspected("paused", health="starting"), RESUMED),
        (inspected("paused", health="unhealthy"), RESUMED_AND_REPLACED),
        (inspected("exited"), MADE_AGAIN),
        (None, MADE_AGAIN),
    ],
)
def test_what_up_does_about_it(attributes: dict[str, Any] | None, remedy: str | None) -> None:
    assert remedy_for(observe(WEB, attributes, now=NOW), stays=True, starts=True) == remedy


def test_a_paused_container_off_its_network_needs_both() -> None:
    web = replace(WEB, networks=(Membership(network="inner"),))
    found = observe(web, inspected("paused", health="healthy"), now=NOW)
    assert found.problems == ("paused", "not on network inner")
    assert remedy_for(found, stays=True, starts=True) == RESUMED_AND_REPLACED


def test_a_failed_job_is_run_again() -> None:
    failed = observe(JOB, inspected("exited", code=1), now=NOW)
    assert remedy_for(failed, stays=False, starts=True) == RUN_AGAIN


def test_data_volumes_and_how_they_are_made_by_hand() -> None:
    volume = {
        "type": "docker:index/volume:Volume",
        "id": "dev-data",
        "outputs": {"driver": "local", "labels": [{"label": "berth.stack", "value": "dev"}]},
    }
    (found,) = data_volumes({"deployment": {"resources": [{**volume, "protect": True}, volume]}})
    assert found.command == "docker volume create --driver local --label berth.stack=dev dev-data"


def test_doors_ask_health_and_what_the_system_exports() -> None:
    system = {"services": {}, "url": "http://127.0.0.1:80", "checks": ["/health", "/api/health"]}
    stack = {"type": "pulumi:pulumi:Stack", "outputs": {"systems": {"gateway": system}}}
    (door,) = doors({"deployment": {"resources": [stack]}})
    assert door.paths == ("/health", "/api/health")
    assert doors({"deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}]}}) == []


def test_an_up_that_ended_early_is_not_as_it_should_be() -> None:
    service = {"containers": ["web-1"], "alias": "web", "port": 80}
    stack = {"type": "pulumi:pulumi:Stack", "urn": "s", "outputs": {}}
    exported = {"deployment": {"resources": [stack]}}
    assert unmade(exported) == [(None, "the last up ended before it was done: the stack exports nothing yet")]
    stack["outputs"] = {"systems": {"gateway": {"services": {"web": service}}}}
    assert unmade(exported) == [("gateway", "web (web-1): not made yet")]
    kind = "docker:index/container:Container"
    made = {"type": kind, "urn": f"u::{kind}::web", "id": "1", "outputs": {"name": "web-1"}}
    assert unmade({"deployment": {"resources": [stack, made]}}) == []
    report = Report(name="dev", containers=(), answers=(), unmade=("web (web-1): not made yet",))
    assert report.exit_code == 1


def test_jobs_that_are_done_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    web = observe(WEB, inspected("running", health="healthy"), now=NOW)
    done = observe(JOB, inspected("exited"), now=NOW)
    failed = observe(replace(JOB, service="broken"), inspected("exited", code=1), now=NOW)
    report = Report(name="dev", containers=(web, done, done, failed), answers=())
    show(report)
    shown = capsys.readouterr().out
    assert "job" not in shown.partition("2 one-shot jobs are done (--all lists them)")[0]
    assert "exited (1)" in shown and "broken" in shown and "exited (0)" not in shown
    show(report, everything=True)
    shown = capsys.readouterr().out
    assert shown.count("job-1") == 3 and shown.count(" done ") == 2 and "one-shot" not in shown


def test_replicas_of_a_service_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    well, sick = inspected("running", health="healthy"), inspected("running", health="unhealthy")
    first, second = (replace(WEB, name=f"celery-web-{number}-0a1b2c3") for number in (1, 2))
    lone = replace(WEB, name="celery-beat-1-0a1b2c3", service="beat")
    seen = (observe(lone, well, now=NOW), observe(first, well, now=NOW), observe(second, sick, now=NOW))
    report = Report(name="dev", containers=seen, answers=())
    show(report)
    rows = capsys.readouterr().out.splitlines()
    (bad,) = [row.split() for row in rows if row.strip().startswith("BAD")]
    assert bad[1:3] == ["web", "(celery-web-2-0a1b2c3)"]
    assert any("(celery-web-1-0a1b2c3)" in row for row in rows) and not any("beat-1" in row for row in rows)
    told = {part["container"]: part["ok"] for part in document(report)["containers"]}
    assert told == {lone.name: True, first.name: True, second.name: False}


def test_the_hint_trusts_who_signed_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    plain = Door(system="gateway", url="http://127.0.0.1:8010", paths=())
    assert authority.curl(plain, "dev") == "curl http://127.0.0.1:8010/health"
    own = authority.ensure().certificate
    ours = replace(plain, url="https://127.0.0.1", authority=own)
    assert authority.curl(ours, "dev") == f"curl --cacert {authority.certificate()} https://127.0.0.1/health"
    words = authority.curl(replace(ours, authority="another\n"), "dev").split()
    assert Path(words[2]).read_text() == "another\n" and Path(words[2]).name == "dev-gateway.pem"


def test_skips_are_found(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="a" name="runs"/>'
        '<testcase classname="a" name="waits"><skipped message="no engine"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert skips(report) == [("a::waits", "no engine")]
    assert skips(tmp_path / "none.xml") == []
