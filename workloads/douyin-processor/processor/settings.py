"""app.yaml and the secret file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

Seconds = Annotated[float, Field(gt=0, le=86400)]


class SettingsError(Exception):
    """The processor cannot start; the text says what to change."""


class Strict(BaseModel):
    """Frozen, and nothing unknown: a misspelt key must not be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FileSystem(Strict):
    """Where the audio comes from."""

    base_url: str
    timeout: Seconds = 30.0
    max_bytes: Annotated[int, Field(gt=0)] = 200 * 2**20

    @field_validator("base_url")
    @classmethod
    def _plain(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
            raise ValueError("must be http://host[:port][/prefix] or https://...")
        if url.username is not None or url.password is not None:
            raise ValueError("must not hold a user or password")
        _ = url.port  # raises ValueError when out of range
        return value.rstrip("/")


class Keep(Strict):
    """What stays in the database."""

    results: Annotated[int, Field(ge=1)] = 10_000
    days: Annotated[float, Field(gt=0)] = 30.0


class App(Strict):
    """Everything under `app:`."""

    host: str = "0.0.0.0"  # noqa: S104 -- a container's own address
    port: Annotated[int, Field(ge=1, le=65535)] = 8093
    data_dir: Path = Path("/data")
    filesystem: FileSystem
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    attempts: Annotated[int, Field(ge=1, le=1000)] = 10
    lease: Annotated[float, Field(ge=1, le=3600)] = 30.0
    drain: Annotated[float, Field(ge=0, le=600)] = 2.0
    stop_grace: Annotated[float, Field(ge=0, le=3600)] = 6.0
    buckets: Annotated[int, Field(ge=1, le=10_000)] = 200
    max_queue: Annotated[int, Field(ge=1)] = 10_000
    keep: Keep = Keep()
    result_url: str = "/api/videos/{id}/result"

    @model_validator(mode="after")
    def _result_url_has_id(self) -> Self:
        if self.result_url.count("{id}") != 1:
            raise ValueError(f"result_url {self.result_url!r} must contain {{id}} once")
        return self


class _File(Strict):
    app: App


def load(path: Path) -> App:
    """The validated file. Raises SettingsError with every fault and its place."""
    try:
        return _File.model_validate(yaml.safe_load(path.read_bytes())).app
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc'])) or '(file)'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError(f"{path}: " + "; ".join(faults)) from error


def secret(name: str, environment: Mapping[str, str] = os.environ) -> SecretStr:
    """The content of the file that `{name}_FILE` names. Raises SettingsError when there is none."""
    if environment.get(name):
        raise SettingsError(f"{name} must not be in the environment; put it in a file and set {name}_FILE")
    path = environment.get(f"{name}_FILE", "")
    if not path:
        raise SettingsError(f"{name}_FILE is not set; it names the file that holds the secret")
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{name}_FILE={path}: {reason}") from None
    if not value:
        raise SettingsError(f"{name}_FILE={path} is empty")
    return SecretStr(value)
