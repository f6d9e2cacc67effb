"""What the engine is asked to do for a container: create, connect, start, update, remove.

Apart from container.py, so that a preview, which only compares, need not load the Docker SDK.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from docker.errors import APIError, DockerException, NotFound

from offline.docker import container_create, container_journal, container_read, container_wait
from offline.docker.container_failure import explain, name_taken, not_created, not_started
from offline.docker.container_fields import FIELDS, LIMITS, THROTTLES
from offline.docker.container_support import require_support
from offline.docker.image_host import find_or_pull
from offline.provider.difference import compare, top
from offline.provider.resource import Context, Inputs, PartialCreate, ResourceError, State

_REMOVAL_SECONDS = 60


def create(ctx: Context, inputs: Inputs) -> tuple[str, State]:
    """Create, connect, upload, start and wait. What fails on the way is removed again."""
    api = ctx.engine.api
    require_support(api.api_version, inputs)
    for name in container_journal.remove_unrecorded(api):
        ctx.log(f"removed container '{name}', which an earlier run left half-made")
    find_or_pull(ctx, inputs["image"], inputs.get("platform") or "")
    with container_journal.creation(api) as label:
        id = _create(ctx, inputs, label)
        try:
            logs = _bring_up(ctx, id, inputs)
            return id, _state(ctx, id, dict(inputs) | {"containerLogs": logs})
        except BaseException as error:
            _give_up(ctx, id, inputs, error)
            raise


def read(ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
    """What the engine has now. An import takes an id or a name."""
    api = ctx.engine.api
    try:
        inspect = api.inspect_container(id)
    except NotFound:
        return None
    if state and "image" not in state:
        return inspect["Id"], inputs, state  # half-made, and still to be replaced
    if not inputs and not state:
        inputs = container_read.imported(inspect, _image_of(api, inspect))
    known = {key: value for key, value in state.items() if key in ("containerLogs", *FIELDS)} | inputs
    now = container_read.state(inspect, known)
    return (
        inspect["Id"],
        {k: now.get(k) if k in _drifted(inputs, now) else v for k, v in inputs.items()},
        now,
    )


def update(ctx: Context, id: str, state: State, inputs: Inputs) -> State:
    """Apply limits and restart policy, and start a stopped container that must run."""
    api = ctx.engine.api
    changed = {top(c.path) for c in compare({k: FIELDS[k] for k in LIMITS}, state, inputs)}
    body = container_create.update(inputs)
    try:
        if changed:
            _apply(api, id, body)
        if inputs.get("mustRun", True) and not state.get("mustRun", True) and inputs.get("start", True):
            _restart(ctx, id, inputs)
    except NotFound:
        raise ResourceError(
            f"container '{inputs['name']}' is gone: it was removed outside of this stack",
            fix="run pulumi refresh, then up again",
        ) from None
    result = _state(ctx, id, dict(inputs) | {"containerLogs": state.get("containerLogs")})
    ignored = [key for key in changed & set(THROTTLES) if compare({key: FIELDS[key]}, result, inputs)]
    if ignored:
        raise ResourceError(
            f"this engine does not change {', '.join(sorted(ignored))} of a container that exists",
            fix=f"make a new one: pulumi up --replace '{ctx.urn}'",
        )
    return result


def delete(ctx: Context, id: str, state: State) -> None:
    """Stop within the grace period, then remove; return when it is gone."""
    api = ctx.engine.api
    container_journal.remove_unrecorded(api)
    if not state.get("attach"):
        _unless_gone(lambda: api.stop(id, timeout=_grace(state)))
    _unless_gone(lambda: api.remove_container(id, v=state.get("removeVolumes", True), force=True))
    name = state.get("name", id[:12])
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while _exists(api, id):
        if time.monotonic() > deadline:
            raise ResourceError(
                f"container '{name}' is still there {_REMOVAL_SECONDS} s after its removal",
                fix="look at the engine's log, then run destroy again",
            )
        if ctx.cancelled.wait(0.1):
            raise ResourceError(f"cancelled while container '{name}' was removed")


def _state(ctx: Context, id: str, inputs: Mapping[str, Any]) -> State:
    return container_read.state(ctx.engine.api.inspect_container(id), inputs)


def _apply(api: Any, id: str, body: dict[str, Any]) -> None:
    url = api._url("/containers/{0}/update", id)
    api._raise_for_status(api._post_json(url, data=body))


def _create(ctx: Context, inputs: Inputs, label: dict[str, str]) -> str:
    api = ctx.engine.api
    body = container_create.payload(inputs)
    body["Labels"] = body.get("Labels", {}) | label
    try:
        answer = api.create_container_from_config(body, inputs["name"], inputs.get("platform") or None)
    except APIError as error:
        if error.status_code == 409:
            raise name_taken(api, inputs["name"], error) from None
        raise not_created(inputs["name"], error) from None
    for warning in answer.get("Warnings") or ():
        ctx.warn(warning)
    return str(answer["Id"])


def _bring_up(ctx: Context, id: str, inputs: Inputs) -> str | None:
    """Everything between creation and success; the log of a container that was attached to."""
    api = ctx.engine.api
    _connect(api, id, inputs)
    if inputs.get("uploads"):
        archive = container_create.upload_archive(inputs["uploads"])
        if not api.put_archive(id, "/", archive):
            raise ResourceError(f"container '{inputs['name']}': the engine refused the uploads")
    if not inputs.get("start", True):
        return None
    _start(ctx, id, inputs)
    if inputs.get("wait"):
        container_wait.until_healthy(ctx, id, inputs)
    if inputs.get("attach"):
        return container_wait.until_ended(ctx, id, inputs)
    if inputs.get("mustRun", True) and not inputs.get("wait"):
        container_wait.until_running(ctx, id, inputs)
    return None


def _connect(api: Any, id: str, inputs: Inputs) -> None:
    wanted = list(container_create.endpoints(inputs))
    if wanted and inputs.get("networkMode", "bridge") in ("bridge", "default"):
        api.disconnect_container_from_network(id, "bridge")
    for network, endpoint in wanted:
        body = {"Container": id, "EndpointConfig": endpoint}
        try:
            api._raise_for_status(api._post_json(api._url("/networks/{0}/connect", network), data=body))
        except APIError as error:
            raise ResourceError(
                f"container '{inputs['name']}' cannot be connected to network '{network}': {explain(error)}"
            ) from None


def _restart(ctx: Context, id: str, inputs: Inputs) -> None:
    _start(ctx, id, inputs)
    if inputs.get("wait"):
        container_wait.until_healthy(ctx, id, inputs)
    else:
        container_wait.until_running(ctx, id, inputs)


def _start(ctx: Context, id: str, inputs: Inputs) -> None:
    try:
        ctx.engine.api.start(id)
    except NotFound as error:
        if "No such container" in explain(error):
            raise
        raise not_started(ctx.engine.api, inputs, error) from None
    except APIError as error:
        raise not_started(ctx.engine.api, inputs, error) from None


def _give_up(ctx: Context, id: str, inputs: Inputs, error: BaseException) -> None:
    """Remove a container that did not come up; where the engine does not let us, have it recorded.

    Its state holds the name alone and so differs from whatever is wanted: the next run replaces it.
    """
    try:
        _unless_gone(lambda: ctx.engine.api.remove_container(id, v=True, force=True))
    except (DockerException, OSError) as removal:
        raise PartialCreate(
            f"{error}\n  and container '{inputs['name']}' could not be removed: {removal}",
            id=id,
            state={"name": inputs["name"]},
            fix="when the engine runs again, run up: the container is then replaced",
        ) from error


def _image_of(api: Any, inspect: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return dict(api.inspect_image(inspect["Image"]))
    except NotFound:
        return None


def _grace(state: State) -> int:
    """Seconds between SIGTERM and SIGKILL: as asked for, else none.

    The official provider knows `destroyGraceSeconds` alone, and kills at once a program whose `stopTimeout`
    says how long it needs.
    """
    return int(state.get("destroyGraceSeconds") or state.get("stopTimeout") or 0)


def _unless_gone(call: Callable[[], Any]) -> None:
    try:
        call()
    except NotFound:
        pass
    except APIError as error:
        if "is already in progress" not in explain(error):
            raise


def _exists(api: Any, id: str) -> bool:
    try:
        api.inspect_container(id)
    except NotFound:
        return False
    return True


def _drifted(inputs: Inputs, now: State) -> set[str]:
    known = {name: field for name, field in FIELDS.items() if name in inputs}
    return {top(change.path) for change in compare(known, now, inputs)}


def same_networks(ctx: Context, state: State, news: Inputs) -> bool:
    """Whether only the spelling of networks differs: a program may give the name or the id of one network."""
    field = {"networksAdvanced": FIELDS["networksAdvanced"]}

    def by_id(entries: Any) -> list[dict[str, Any]]:
        inspect = ctx.engine.api.inspect_network
        return [dict(entry) | {"name": inspect(entry["name"])["Id"]} for entry in entries or ()]

    try:
        old, new = by_id(state.get("networksAdvanced")), by_id(news.get("networksAdvanced"))
    except (DockerException, TypeError):
        return False
    return not compare(field, {"networksAdvanced": old}, {"networksAdvanced": new})
