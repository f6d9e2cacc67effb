"""The config files of the gateway: what the workloads read is what the settings say."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.units import Duration
from stacks.gateway_files import app_yaml, result_url, services_yaml
from stacks.gateway_routes import ROUTES, Route
from stacks.gateway_settings import GatewayService, ProcessorService

SEGMENT = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,11}", fullmatch=True)
METHOD = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"])


@st.composite
def routes(draw: Any) -> tuple[Route, ...]:
    """Routes that differ, some with a placeholder."""
    paths = draw(st.lists(st.lists(SEGMENT, min_size=1, max_size=3), min_size=1, max_size=4, unique_by=tuple))
    made = []
    for path in paths:
        text = "/api/" + "/".join(path)
        if draw(st.booleans()):
            made.append(Route(method=draw(METHOD), path=f"{text}/{{id}}", target=f"/{draw(SEGMENT)}/{{id}}"))
        else:
            made.append(Route(method=draw(METHOD), path=text, target=f"/{draw(SEGMENT)}"))
    return tuple(made)


@given(routes(), st.integers(1, 3600))
def test_services_yaml_reads_back_as_the_routes(given_routes: tuple[Route, ...], seconds: int) -> None:
    gateway = GatewayService(routes=given_routes, timeout=Duration(f"{seconds}s"))
    (service,) = yaml.safe_load(services_yaml(gateway, "http://processor:1"))["services"]
    assert (service["base_url"], service["timeout"]) == ("http://processor:1", seconds)
    assert tuple(Route.model_validate(route) for route in service["routes"]) == given_routes


@given(st.integers(1, 64), SEGMENT)
def test_app_yaml_reads_back_as_the_settings(workers: int, host: str) -> None:
    app = yaml.safe_load(app_yaml(ProcessorService(workers=workers), f"http://{host}:8000", "/r/{id}"))["app"]
    assert (app["workers"], app["result_url"]) == (workers, "/r/{id}")
    assert app["filesystem"] == {"base_url": f"http://{host}:8000", "timeout": 30}


def test_the_same_settings_make_the_same_text() -> None:
    assert services_yaml(GatewayService(), "http://a:1") == services_yaml(GatewayService(), "http://a:1")


def test_clients_are_told_the_public_path_of_results() -> None:
    assert result_url(GatewayService()) == "/api/douyin/videos/{id}/result"
    assert result_url(GatewayService(routes=ROUTES[:1])) == "/api/videos/{id}/result"
