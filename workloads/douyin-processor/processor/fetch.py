"""Brings a file from the file system service."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, cast

import httpx

from .names import address
from .settings import FileSystem


class GoneError(Exception):
    """The service answered, and the file will not come."""


class AwayError(Exception):
    """The service cannot be reached or is in trouble: worth another attempt."""


def client(settings: FileSystem) -> httpx.AsyncClient:
    """Follows no redirect and no proxy variable: requests go below base_url or nowhere."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(settings.timeout, connect=min(5.0, settings.timeout)),
        follow_redirects=False,
        trust_env=False,
        headers={"Accept-Encoding": "identity"},
    )


@asynccontextmanager
async def fetched(
    http: httpx.AsyncClient, settings: FileSystem, name: str, folder: Path
) -> AsyncIterator[BinaryIO]:
    """The file's content, on disk without a name: nothing is left behind however the process ends."""
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            async with http.stream("GET", address(settings.base_url, name)) as response:
                check(response.status_code)
                if int(response.headers.get("Content-Length", 0)) > settings.max_bytes:
                    raise GoneError(f"the file is larger than {settings.max_bytes} bytes")
                async for chunk in response.aiter_raw(1 << 18):
                    if file.tell() + len(chunk) > settings.max_bytes:
                        raise GoneError(f"the file is larger than {settings.max_bytes} bytes")
                    file.write(chunk)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise AwayError(f"the file system service cannot be reached: {reason}") from error
        yield cast(BinaryIO, file)


def check(status: int) -> None:
    """Nothing for 200; the fitting error for anything else."""
    if status == 200:
        return
    if status == 404:
        raise GoneError("the file system service has no such file")
    if status in {408, 425, 429} or status >= 500:
        raise AwayError(f"the file system service answered {status}")
    raise GoneError(f"the file system service answered {status}")
