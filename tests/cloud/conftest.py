"""Shared by the tests of the emulated cloud: the cloud, a server before it, and the official SDKs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from emulator.access import AccessKey
from emulator.cloud import Cloud, open_cloud
from emulator.server import application
from tests.cloud.raw import Raw
from tests.cloud.running import Clock, Listener
from tests.cloud.shapes import Watched, record, write

if TYPE_CHECKING:
    import alibabacloud_oss_v2
    from alibabacloud_ecs20140526.client import Client as Ecs
    from alibabacloud_ram20150501.client import Client as Ram
    from alibabacloud_sts20150401.client import Client as Sts
    from alibabacloud_vpc20160428.client import Client as Vpc

# How long an example takes says more about the machine than about the code.
settings.register_profile(
    "cloud", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cloud")

REGION = "cn-hangzhou"

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(tmp_path: Path, clock: Clock) -> Iterator[Cloud]:
    """A new one, in a folder of its own. Its time stands still: `clock.later(1)` settles what is Pending."""
    made = open_cloud(tmp_path / "cloud", seed=1, now=clock)
    yield made
    made.store.close()


@pytest.fixture
def key(cloud: Cloud) -> AccessKey:
    """The account's."""
    return cloud.store.all(AccessKey)[0]


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.stop()


@pytest.fixture
def server(cloud: Cloud, listener: Listener) -> Iterator[Listener]:
    """Serves `cloud`. Every answer is held against the SDK's model of it, whoever asked."""
    watched = Watched(application(cloud))
    listener.app = watched
    yield listener
    listener.app = None
    record(watched)
    assert not watched.problems, "\n".join(watched.problems)


def config_of(key: AccessKey, server: Listener, **changed: Any) -> Any:
    """Settings of an SDK's client: no retries, so that an error shows at once."""
    from alibabacloud_tea_openapi.models import Config
    from darabonba.policy.retry import RetryOptions

    settings = {
        "access_key_id": key.id,
        "access_key_secret": key.secret,
        "endpoint": f"127.0.0.1:{server.port}",
        "protocol": "HTTP",
        "region_id": REGION,
        "retry_options": RetryOptions({"retryable": False}),
        "connect_timeout": 5000,
        "read_timeout": 20000,
    }
    return Config(**(settings | changed))


@pytest.fixture
def ecs(key: AccessKey, server: Listener) -> Ecs:
    from alibabacloud_ecs20140526.client import Client

    return Client(config_of(key, server))


@pytest.fixture
def vpc(key: AccessKey, server: Listener) -> Vpc:
    from alibabacloud_vpc20160428.client import Client

    return Client(config_of(key, server))


@pytest.fixture
def sts(key: AccessKey, server: Listener) -> Sts:
    from alibabacloud_sts20150401.client import Client

    return Client(config_of(key, server))


@pytest.fixture
def ram(key: AccessKey, server: Listener) -> Ram:
    from alibabacloud_ram20150501.client import Client

    return Client(config_of(key, server))


@pytest.fixture
def oss(key: AccessKey, server: Listener) -> alibabacloud_oss_v2.Client:
    """With signature V4 and the bucket in the path: loopback has no names for buckets."""
    import alibabacloud_oss_v2

    config = alibabacloud_oss_v2.config.load_default()
    config.credentials_provider = alibabacloud_oss_v2.credentials.StaticCredentialsProvider(
        key.id, key.secret
    )
    config.region = REGION
    config.endpoint = server.url
    config.use_path_style = True
    config.retry_max_attempts = 1
    return alibabacloud_oss_v2.Client(config)


@pytest.fixture
def raw(key: AccessKey, server: Listener) -> Iterator[Raw]:
    """For what no SDK would send."""
    made = Raw(server.url, key.id, key.secret)
    yield made
    made.http.close()


@contextmanager
def _refused(code: str, status: int = 400) -> Iterator[None]:
    with pytest.raises(Exception) as caught:
        yield
    error: Any = caught.value
    while getattr(error, "code", None) is None and hasattr(error, "unwrap"):
        error = error.unwrap()  # the OSS SDK wraps what the service said
    if getattr(error, "code", None) is None:
        raise error
    said = getattr(error, "status_code", None) or getattr(error, "status", None)
    assert (error.code, said) == (code, status), error


@pytest.fixture
def refused() -> Refused:
    """`with refused("InvalidVpcId.NotFound", 404):` the call inside is refused with that code and status."""
    return _refused


def pytest_sessionfinish() -> None:
    write()
