"""What the engine does for a service; apart from service.py, so that a preview needs no Docker SDK."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from docker.errors import APIError, DockerException, NotFound

from offline.docker import registry, service_create, service_read
from offline.docker.container_failure import explain
from offline.docker.container_units import parse_duration
from offline.provider.resource import Context, Inputs, PartialCreate, ResourceError, State

_PAUSE = 0.5
_USUAL_GRACE = 10
_FAILED_UPDATE = {"paused", "rollback_paused", "rollback_completed"}


def create(ctx: Context, inputs: Inputs) -> tuple[str, State]:
    """Create the service and, where `convergeConfig` asks for it, wait until all its tasks run."""
    api = ctx.engine.api
    with _explained(f"service '{inputs['name']}' cannot be created"):
        url = api._url("/services/create")
        answer = api._post_json(url, data=service_create.spec(inputs), headers=_auth(ctx, inputs))
        id = str(api._result(answer, json=True)["ID"])
    try:
        _converge(ctx, id, inputs, _all_running)
        return id, _state(ctx, id, inputs)
    except BaseException as error:
        _give_up(ctx, id, inputs, error)
        raise


def read(ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
    """What the swarm has now. An import takes an id or a name."""
    api = ctx.engine.api
    with _explained(f"service {id} cannot be read"):
        try:
            found = str(api.inspect_service(id)["ID"])
        except NotFound:
            return None
    if state and "taskSpec" not in state:
        return found, inputs, state  # half-made, and still to be replaced
    now = _state(ctx, found, state | inputs)
    return found, inputs or service_read.imported(now), now


def update(ctx: Context, id: str, inputs: Inputs) -> State:
    """Update in place, with the roll-out that `updateConfig` describes."""
    api = ctx.engine.api
    with _explained(f"service '{inputs['name']}' cannot be updated"):
        try:
            version = api.inspect_service(id)["Version"]["Index"]
        except NotFound:
            raise ResourceError(
                f"service '{inputs['name']}' is gone: it was removed outside of this stack",
                fix="run pulumi refresh, then up again",
            ) from None
        answer = api._post_json(
            api._url("/services/{0}/update", id),
            data=service_create.spec(inputs),
            headers=_auth(ctx, inputs),
            params={"version": version},
        )
        for warning in api._result(answer, json=True).get("Warnings") or ():
            ctx.warn(warning)
    _converge(ctx, id, inputs, _update_complete)
    return _state(ctx, id, inputs)


def delete(ctx: Context, id: str, state: State) -> None:
    """Remove the service, and return when this node's containers of it are gone."""
    name = state.get("name", id)
    with _explained(f"service '{name}' cannot be removed"):
        try:
            containers = list(_containers(ctx, id))
            ctx.engine.api.remove_service(id)
        except NotFound:
            return
        _wait_for_removal(ctx, containers, state)


def _state(ctx: Context, id: str, inputs: Mapping[str, Any]) -> State:
    api = ctx.engine.api
    service = api.inspect_service(id)
    attached = service["Spec"]["TaskTemplate"].get("Networks") or ()
    names = {network["Target"]: _network(api, network["Target"], "Name") for network in attached}
    return service_read.state(service, inputs, names)


class _explained:  # noqa: N801 - reads as a statement
    """Turns the engine's errors into one line of cause, with the next step where it is no swarm manager."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, APIError):
            return
        text = explain(error)
        fix = None
        if error.status_code == 503 or "swarm" in text.lower():
            fix = "make the engine a swarm manager (docker swarm init), or point docker:host at one"
        elif error.status_code == 409 or "conflicts with an existing object" in text:
            fix = "choose another name, or take it over: pulumi import docker:index/service:Service NAME ID"
        raise ResourceError(f"{self._what}: {text}", fix=fix) from None


def _auth(ctx: Context, inputs: Inputs) -> dict[str, str]:
    """The login that each node pulls the image with."""
    given = inputs.get("auth")
    if given:
        credential = registry.login(
            given["serverAddress"],
            given.get("username") or os.environ.get("DOCKER_REGISTRY_USER", ""),
            given.get("password") or os.environ.get("DOCKER_REGISTRY_PASS", ""),
        )
    else:
        image = inputs["taskSpec"]["containerSpec"]["image"]
        credential = registry.Registries(ctx.engine.config).for_image(image)
    return {"X-Registry-Auth": registry.header(credential)} if credential else {}


def _converge(ctx: Context, id: str, inputs: Inputs, done: Callable[[Any, str], bool]) -> None:
    config = inputs.get("convergeConfig")
    if config is None:
        return
    limit = parse_duration(config.get("timeout") or "3m") / 1e9
    deadline = time.monotonic() + min(limit, ctx.timeout or limit)
    while not done(ctx.engine.api, id):
        if time.monotonic() > deadline:
            errors = _task_errors(ctx.engine.api, id)
            raise ResourceError(f"service '{inputs['name']}' did not converge within {limit:g} s\n{errors}")
        if ctx.cancelled.wait(_PAUSE):
            raise ResourceError(f"cancelled while waiting for service '{inputs['name']}'")


def _all_running(api: Any, id: str) -> bool:
    spec = api.inspect_service(id)["Spec"]
    replicas = spec["Mode"].get("Replicated", {}).get("Replicas", 0)
    tasks = api.tasks(filters={"service": id, "desired-state": "running"})
    # Right after an update the tasks of before still run, and the manager says nothing of it yet.
    wanted = spec["TaskTemplate"]["ContainerSpec"]
    now = [task for task in tasks if task["Spec"]["ContainerSpec"] == wanted]
    running = {task.get("Slot") for task in now if task["Status"]["State"] == "running"}
    return bool(len(running) == replicas == len(tasks))


def _update_complete(api: Any, id: str) -> bool:
    status = api.inspect_service(id).get("UpdateStatus") or {}
    if status.get("State") in _FAILED_UPDATE:
        what = status["State"].replace("_", " ")
        raise ResourceError(f"the update is {what}: {status.get('Message', '')}\n{_task_errors(api, id)}")
    if status.get("State") in ("updating", "rollback_started"):
        return False
    return _all_running(api, id)


def _task_errors(api: Any, id: str) -> str:
    errors = {
        task["Status"]["Err"] for task in api.tasks(filters={"service": id}) if task["Status"].get("Err")
    }
    return "\n".join(f"  task: {error}" for error in sorted(errors)) or "  no task reports an error"


def _give_up(ctx: Context, id: str, inputs: Inputs, error: BaseException) -> None:
    """Remove a service that did not come up; where the engine does not let us, have it recorded."""
    try:
        ctx.engine.api.remove_service(id)
    except NotFound:
        return
    except (DockerException, OSError) as removal:
        raise PartialCreate(
            f"{error}\n  and service '{inputs['name']}' could not be removed: {removal}",
            id=id,
            state={"name": inputs["name"]},
            fix="when the engine runs again, run up: the service is then replaced",
        ) from error


def _containers(ctx: Context, id: str) -> Iterator[str]:
    for task in ctx.engine.api.tasks(filters={"service": id}):
        container = (task["Status"].get("ContainerStatus") or {}).get("ContainerID")
        if container and task["Status"]["State"] != "shutdown":
            yield container


def _wait_for_removal(ctx: Context, containers: list[str], state: State) -> None:
    """Give the tasks their time to stop; networks and volumes can go only after them."""
    spec = (state.get("taskSpec") or {}).get("containerSpec") or {}
    grace = parse_duration(spec.get("stopGracePeriod") or "0s") / 1e9 or _USUAL_GRACE
    deadline = time.monotonic() + grace
    api = ctx.engine.api
    for container in containers:
        try:
            while time.monotonic() < deadline:
                api.inspect_container(container)
                if ctx.cancelled.wait(_PAUSE / 5):
                    raise ResourceError("cancelled while the service's containers stopped")
            api.remove_container(container, v=True, force=True)
        except NotFound:
            continue  # gone, or another node's
        except APIError as error:
            if "is already in progress" not in explain(error):
                raise


def _network(api: Any, key: str, property: str) -> str:
    try:
        return str(api.inspect_network(key)[property])
    except NotFound:
        return key


def named_networks(ctx: Context, state: State, news: Inputs) -> State:
    """The state with the program's spelling of networks that it names, where the state has their ids."""
    task = state.get("taskSpec") or {}
    wanted = [
        e["name"] for e in (news.get("taskSpec") or {}).get("networksAdvanceds") or () if not e.get("id")
    ]
    recorded = task.get("networksAdvanceds") or []
    if not any(entry.get("id") for entry in recorded) or not wanted:
        return state
    api = ctx.engine.api
    names = {_network(api, name, "Id"): name for name in wanted if isinstance(name, str)}
    renamed = [
        {k: v for k, v in entry.items() if k != "id"} | {"name": names[entry["id"]]}
        if entry.get("id") in names
        else entry
        for entry in recorded
    ]
    return state | {"taskSpec": task | {"networksAdvanceds": renamed}}
