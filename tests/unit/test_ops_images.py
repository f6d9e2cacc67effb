"""`./berth update`: which images are asked for again, and which old ones may go."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.docker import image_host
from ops import images, places
from ops.errors import UserError
from ops.images import BUILT, PULLED


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"deployment": {"resources": [{"urn": f"urn:{n}", **found} for n, found in enumerate(resources)]}}


def from_registry(name: str, id: str, **inputs: Any) -> dict[str, Any]:
    return {"type": PULLED, "inputs": {"name": name, **inputs}, "outputs": {"imageId": id}}


def from_here(name: str) -> dict[str, Any]:
    return {"type": BUILT, "outputs": {"imageName": name}}


def tag(name: str, number: int) -> str:
    return f"berth/{name}:{number:012x}"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(places, "data", lambda: tmp_path)
    connection = SimpleNamespace(close=lambda: None)
    engine = SimpleNamespace(connection=lambda **_config: connection)
    return SimpleNamespace(key="-dev", name="dev", file=SimpleNamespace(config={}), engine=engine)


def test_only_a_tag_that_moved_is_replaced(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(image_host, "pull", lambda _context, name, _platform: asked.append(name))
    monkeypatch.setattr(image_host, "inspect", lambda _context, name: {"Id": f"sha256:new-{name}"})
    pinned = from_registry(f"nginx@sha256:{'0' * 64}", "sha256:old")
    found = state(
        from_registry("nginx:1", "sha256:old"),
        from_registry("redis:7", "sha256:new-redis:7"),
        pinned,
        from_registry("nginx:1", "sha256:new-nginx:1"),
        from_registry("built:1", "sha256:old", build={"context": "."}),
        from_here(tag("app", 1)),
    )
    assert images.pull(stack, found) == ["urn:0"]
    assert asked == ["nginx:1", "redis:7"]
    assert images.pull(stack, state(pinned)) == [] and len(asked) == 2


def test_a_registry_that_gives_nothing_ends_it(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from offline.provider.resource import ResourceError

    def refuse(*_args: Any) -> None:
        raise ResourceError("nginx:1 cannot be pulled", fix="log in")

    monkeypatch.setattr(image_host, "pull", refuse)
    with pytest.raises(UserError, match="cannot be pulled"):
        images.pull(stack, state(from_registry("nginx:1", "sha256:old")))


def test_deployments_are_remembered_in_their_order(stack: Any) -> None:
    assert images.remembered(stack) == []
    for number in (1, 2, 2, 3, 1):
        images.remember(stack, state(from_here(tag("app", number)), from_here("foreign/app:1")))
    assert images.remembered(stack) == [tag("app", number) for number in (2, 3, 1)]


NAMES = st.builds(tag, st.sampled_from(["app", "web"]), st.integers(0, 9))


@given(st.lists(NAMES, unique=True), st.sets(NAMES), st.sets(NAMES), st.sets(NAMES))
def test_what_anybody_may_need_stays(
    names: list[str], current: set[str], there: set[str], used: set[str]
) -> None:
    ids = {name: f"id of {name}" for name in there}
    gone = images.obsolete(names, current, ids, {f"id of {name}" for name in used})
    assert set(gone) <= set(names) & there and not set(gone) & (current | used)
    for kind in ("app", "web"):
        of_kind = [name for name in names if name.startswith(f"berth/{kind}:")]
        assert not set(gone) & set(of_kind[-2:])
        assert set(of_kind[:-2]) & there - current - used <= set(gone)
