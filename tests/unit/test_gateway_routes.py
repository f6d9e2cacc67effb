"""The settings and the gateway itself give one verdict on every route: two programs, two models, one rule."""

from __future__ import annotations

from typing import Any

import pytest
from gateway import config
from hypothesis import example, given
from hypothesis import strategies as st
from processor.settings import SettingsError
from processor.settings import load as load_app
from pydantic import TypeAdapter, ValidationError

from components.units import Duration
from stacks.gateway_files import app_yaml, result_url, services_yaml
from stacks.gateway_routes import ServiceUrl
from stacks.gateway_settings import GatewayService, ProcessorService, StandaloneProcessor

URL = "http://douyin-processor:8093"
SEGMENTS = st.one_of(
    st.sampled_from(
        ["v", "{id}", "{b}", "{Id}", "{_}", "{1}", "{a_1}", "{}", "{id", "x{id}", ".", "..", "...", "", "a b"]
    ),
    st.sampled_from(["%41", "é", "{é}", "a\n", "{id}\n", "?", "#", "~", "health", "٣", "{a٣}", "\\", "a:b"]),
    st.text(max_size=3),
)
PATHS = st.one_of(
    st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.sampled_from(["/health", "/health/", "/", "", "//", "health", "/health\n"]),
    st.text(max_size=4),
)
ROUTES = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "get", ""]),
        "path": PATHS,
        "target": PATHS,
    }
)
# Mostly right, so that what only shows between routes is met often.
LIKELY = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "POST"]),
        "path": st.sampled_from(["/v/{id}", "/v/{b}", "/v/new", "/v", "/{a}/{b}", "/{b}/{a}", "/{a}/{a}"]),
        "target": st.sampled_from(["/", "/x", "/x/{id}", "/x/{b}", "/{b}/{b}"]),
    }
)


def settings_accept(routes: list[dict[str, Any]]) -> GatewayService | None:
    try:
        return GatewayService.model_validate({"routes": routes})
    except ValidationError:
        return None


def gateway_accepts(routes: list[dict[str, Any]]) -> bool:
    service = {"name": "douyin-processor", "base_url": URL, "routes": routes}
    try:
        config.Config.model_validate({"services": [service]})
    except ValidationError:
        return False
    return True


@given(st.one_of(st.lists(ROUTES, max_size=2), st.lists(LIKELY, max_size=4)))
@example([{"method": "GET", "path": "/v/{Id}", "target": "/{Id}"}])
@example([{"method": "GET", "path": "/health", "target": "/"}])
@example([{"method": "GET", "path": "/{a}/{a}", "target": "/"}])
@example([{"method": "OPTIONS", "path": "/v", "target": "/v"}])
def test_both_models_accept_the_same_routes(routes: list[dict[str, Any]]) -> None:
    accepted = settings_accept(routes)
    assert (accepted is not None) == gateway_accepts(routes)
    if accepted:
        read = config.parse(services_yaml(accepted, URL).encode()).services[0]
        assert [route.model_dump() for route in read.routes] == routes


URLS = st.builds(
    lambda scheme, host, rest: f"{scheme}{host}{rest}",
    st.sampled_from(["http://", "https://", "ftp://", "http:/", "HTTP://", ""]),
    st.sampled_from(["h", "10.0.0.5", "[::1]", "[::1", "u@h", "@h", "u:p@h", "", ":80", "h h", "h\n", "é"]),
    st.sampled_from(
        [
            "",
            ":1",
            ":99999",
            ":x",
            "/",
            "//",
            "/a/",
            "/a//",
            "/a//b",
            "/a/../b",
            "/é",
            "?",
            "?a",
            "#",
            "/{id}",
        ]
    )
    | st.text(max_size=4),
)


@given(URLS)
@example("http://h:99999")
@example("http://h/a b")
def test_what_the_settings_write_as_address_the_gateway_reads(url: str) -> None:
    try:
        accepted = TypeAdapter(ServiceUrl).validate_python(url)
    except ValidationError:
        return
    assert config.parse(services_yaml(GatewayService(), accepted).encode()).services[0].root == accepted


@pytest.mark.parametrize("url", ["http://h", "https://h:8443", "http://10.0.0.5:80/a/b", "http://[::1]:80/"])
def test_plain_addresses_are_accepted(url: str) -> None:
    assert TypeAdapter(ServiceUrl).validate_python(url) == url.rstrip("/")


@given(st.integers(0, 5000), st.sampled_from(["ms", "s", "m", "h"]))
def test_both_accept_the_same_timeouts(count: int, unit: str) -> None:
    text = f"{count}{unit}"
    try:
        accepted = GatewayService.model_validate({"timeout": text})
    except ValidationError:
        assert not 0 < Duration(text).seconds <= 3600
        return
    assert config.parse(services_yaml(accepted, URL).encode()).services[0].timeout > 0


@pytest.mark.parametrize("timeout", ["0s", "2h"])
def test_a_refused_timeout_names_what_is_allowed(timeout: str) -> None:
    with pytest.raises(ValidationError, match="more than 0s and at most 1h"):
        ProcessorService.model_validate({"file_timeout": timeout})


@given(st.lists(st.sampled_from(["{id}", "/a", "{b}", " ", "x"]), max_size=3).map(lambda p: "/" + "".join(p)))
def test_what_the_settings_write_as_result_url_the_processor_reads(tmp_path_factory: Any, path: str) -> None:
    file = tmp_path_factory.mktemp("app") / "app.yaml"
    try:
        accepted = StandaloneProcessor.model_validate({"mode": "processor", "result_url": path}).result_url
    except ValidationError:
        return
    file.write_text(app_yaml(ProcessorService(), "http://f:1", accepted))
    try:
        assert load_app(file).result_url == path
    except SettingsError as error:
        pytest.fail(str(error))


def test_the_path_of_results_is_that_of_their_route() -> None:
    assert result_url(GatewayService()) == "/api/douyin/videos/{id}/result"
