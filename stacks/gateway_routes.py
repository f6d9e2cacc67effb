"""What api-gateway accepts in services.yaml, no more and no less: a file it refuses would go unnoticed.

A running gateway keeps its old routes then, and one that starts again has none. The gateway is another
program with its own model; tests/unit/test_gateway_routes.py holds the two together.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
)

from components.spec import Spec
from components.units import Duration, HttpUrl

_SEGMENT = r"([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\})"
_PATH = rf"/({_SEGMENT}(/{_SEGMENT})*)?"
_HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
_URL = rf"https?://{_HOST}(:(?P<port>[0-9]{{1,5}}))?(/[A-Za-z0-9._~-]+)*"
_PLAIN = "segments of letters, digits and . _ ~ -, each of which may be one {name} instead, like /videos/{id}"


def _path(text: str) -> str:
    if not re.fullmatch(_PATH, text) or {".", ".."} & set(text.split("/")):
        raise ValueError(f"allowed: a path of {_PLAIN}")
    return text


def _public_path(text: str) -> str:
    if text == "/health":
        raise ValueError("the gateway's own; allowed: any other path")
    names = placeholders(text)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"names {{{', '.join(twice)}}} twice; allowed: each name once")
    return text


def _service_url(text: str) -> str:
    match = re.fullmatch(_URL, text)
    if not match or {".", ".."} & set(text.split("/")) or not 1 <= int(match["port"] or 80) <= 65535:
        raise ValueError(
            "allowed: http or https, a host, a port and plain segments, like http://10.0.0.5:8093"
        )
    return text


def _timeout(duration: Duration) -> Duration:
    if not 0 < duration.seconds <= 3600:
        raise ValueError("allowed: more than 0s and at most 1h")
    return duration


Path = Annotated[str, AfterValidator(_path), WithJsonSchema({"type": "string", "pattern": f"^{_PATH}$"})]
ServiceUrl = Annotated[HttpUrl, AfterValidator(_service_url)]
Timeout = Annotated[Duration, AfterValidator(_timeout)]


def placeholders(path: str) -> list[str]:
    """The names in braces, in order."""
    return re.findall(r"\{([^{}]*)\}", path)


class Route(Spec):
    """A request that the gateway passes on; `{name}` stands for one path segment in both paths."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    path: Annotated[Path, AfterValidator(_public_path)]
    target: Path
    """The path at the processor."""

    # Of the field, not of the model: told whatever else is wrong with the route.
    @field_validator("target")
    @classmethod
    def _placeholders_match(cls, target: str, info: ValidationInfo) -> str:
        path = info.data.get("path", target)
        if unknown := set(placeholders(target)) - set(placeholders(path)):
            raise ValueError(f"uses {{{', '.join(sorted(unknown))}}}, which path {path} lacks")
        return target


def _claim(route: Any) -> str:
    """What a route answers: those that differ only in the names of placeholders claim the same."""
    method, path = (
        (route.method, route.path) if isinstance(route, Route) else (route["method"], route["path"])
    )
    return f"{method} {re.sub(r'{[^{}]*}', '{}', path)}"


def _differ(given: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Two that claim the same are told also while something else is wrong with them, or with another one."""
    routes: Any = None
    errors: list[Any] = []
    try:
        routes = validate(given)
    except ValidationError as error:
        errors += error.errors(include_url=False)
    unclear = {error["loc"][:1] for error in errors if error["loc"][1:2] != ("target",)}
    if () not in unclear:
        claims = [_claim(route) for index, route in enumerate(given) if (index,) not in unclear]
        if twice := sorted({claim for claim in claims if claims.count(claim) > 1}):
            reason = ValueError(f"{', '.join(twice)} given twice; allowed: each method and path once")
            errors.append({"type": "value_error", "loc": (), "input": given, "ctx": {"error": reason}})
    if errors:
        raise ValidationError.from_exception_data("routes", errors)
    return routes


Routes = Annotated[tuple[Route, ...], Field(min_length=1), WrapValidator(_differ)]

ROUTES = (
    Route(method="POST", path="/api/douyin/process", target="/api/process"),
    Route(method="GET", path="/api/douyin/videos/{id}/result", target="/api/videos/{id}/result"),
    Route(method="GET", path="/api/douyin/health", target="/health"),
)
