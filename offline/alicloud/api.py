"""Calls of Alibaba Cloud's APIs through its official SDKs, repeated where that can help.

An action is called by name with the parameters of its request, and answers plain values. The SDK's own
model of the request says whether it knows every parameter: others would be dropped silently.
"""

from __future__ import annotations

import importlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from offline.provider.resource import ResourceError

T = TypeVar("T")
Answer = dict[str, Any]

_PACKAGES: Final = {
    "ecs": "alibabacloud_ecs20140526",
    "ram": "alibabacloud_ram20150501",
    "sts": "alibabacloud_sts20150401",
    "vpc": "alibabacloud_vpc20160428",
}
_LIMIT: Final = 300.0  # seconds in which a call is repeated: what the official provider gives to most
_OUT_OF_REACH: Final = 30.0  # the same, while nothing answers at all
_FIRST: Final = 0.2
_LONGEST: Final = 10.0  # seconds between two attempts
_BUSY: Final = frozenset(
    ("ServiceUnavailable", "SystemBusy", "InternalError", "Rejected.Throttling", "UnknownError")
)


class Refused(Exception):  # noqa: N818 - what it says is what happened
    """The API answered with an error."""

    def __init__(self, action: str, code: str, message: str, status: int, request: str) -> None:
        self.action = action
        self.code = code
        self.message = message
        self.status = status
        self.request = request
        super().__init__(f"{action}: {code}: {message} (request {request})")

    @property
    def missing(self) -> bool:
        """What was asked for does not exist."""
        return self.status == 404 or "NotFound" in self.code or self.code.startswith("EntityNotExist")

    @property
    def passes(self) -> bool:
        """It is the load, or a failure of the service: the same request may go well a little later."""
        return self.code.startswith("Throttling") or self.code in _BUSY or self.status >= 500

    @property
    def undecided(self) -> bool:
        """Whether the action may have happened nevertheless."""
        return self.status >= 500


class Unreached(Exception):  # noqa: N818 - what it says is what happened
    """No whole answer came. The action may have happened."""

    def __init__(self, action: str, cause: str) -> None:
        self.action = action
        super().__init__(f"{action}: no answer from Alibaba Cloud: {cause}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the APIs are reached. endpoints: by product; without one the SDK's own table decides."""

    region: str
    protocol: str = "HTTPS"
    endpoints: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: int = 60_000
    read_timeout: int = 60_000
    """Both in milliseconds."""
    limit: float = _LIMIT
    """Seconds in which a call is repeated."""
    user_agent: str = ""
    replaces_on_image: bool = False
    """Another image is another instance, as the provider's config asks for."""


@dataclass(frozen=True)
class Patience:
    """How long an operation may go on, and the flag that ends it at once."""

    cancelled: threading.Event
    deadline: float
    """Of time.monotonic()."""

    @classmethod
    def of(cls, cancelled: threading.Event, seconds: float) -> Patience:
        return cls(cancelled, time.monotonic() + seconds)

    @property
    def left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def until(self, attempt: Callable[[], T | None], waiting_for: str) -> T:
        """What an attempt comes to, repeated while that is None."""
        from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

        steps = Retrying(
            retry=retry_if_result(lambda found: found is None),
            wait=wait_exponential(multiplier=_FIRST, max=5, exp_base=1.5),
            stop=stop_after_delay(self.left),
            sleep=self.sleep,
        )
        try:
            found = steps(attempt)
        except RetryError:
            raise ResourceError(
                f"timed out while waiting for {waiting_for}",
                fix="give it more time with customTimeouts, or see in the console what holds it",
            ) from None
        assert found is not None  # that is what it waited for
        return found

    def sleep(self, seconds: float) -> None:
        if self.cancelled.wait(seconds):
            raise ResourceError("cancelled")


class Product(Protocol):
    """One product's SDK."""

    def call(self, action: str, parameters: Answer) -> Answer:
        """Call an action once. Raises Refused and Unreached."""


class Api:
    """The APIs of one account in one region. Every thread may use it."""

    def __init__(self, settings: Settings, credential: Callable[[], Any], *, account: str = "") -> None:
        """credential: makes the SDK's credentials client; called when the first call is made.
        account: its number, where the config tells it.
        """
        self.settings = settings
        self.account = account
        self._credential = credential
        self._lock = threading.RLock()
        self._known: Any = None
        self._products: dict[str, Product] = {}

    @property
    def credential(self) -> Any:
        """The SDK's credentials client."""
        with self._lock:
            if self._known is None:
                self._known = self._credential()
            return self._known

    def call(
        self,
        product: str,
        action: str,
        parameters: Mapping[str, Any],
        patience: Patience,
        *,
        again: tuple[str, ...] = (),
        once: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Answer:
        """The answer to an action.

        again: codes of errors that pass, beside those that every action has.
        once: it has no client token, so that it is not repeated where it may have happened already.
        say: told what an attempt came to that is not the last.
        Raises Refused and Unreached.
        """
        from tenacity import (
            RetryCallState,
            Retrying,
            retry_if_exception,
            stop_after_delay,
            wait_exponential,
            wait_random,
        )

        began = time.monotonic()

        def helps(error: BaseException) -> bool:
            if isinstance(error, Unreached):
                return not once and time.monotonic() - began < _OUT_OF_REACH
            if not isinstance(error, Refused) or (once and error.undecided):
                return False
            return error.passes or error.code in again or error.code.startswith(tuple(f"{c}." for c in again))

        def told(at: RetryCallState) -> None:
            if say is not None and at.outcome is not None:
                say(f"trying again after {at.outcome.exception()}")

        steps = Retrying(
            retry=retry_if_exception(helps),
            wait=wait_exponential(multiplier=_FIRST, max=_LONGEST) + wait_random(0, _FIRST),
            stop=stop_after_delay(min(patience.left, self.settings.limit)),
            sleep=patience.sleep,
            before_sleep=told,
            reraise=True,
        )
        answer: Answer = steps(self._product(product).call, action, dict(parameters))
        return answer

    def _product(self, name: str) -> Product:
        with self._lock:
            if name not in self._products:
                self._products[name] = self._made(name)
            return self._products[name]

    def _made(self, name: str) -> Product:
        if name == "oss":  # its API is another kind, and so is its SDK
            from offline.alicloud.oss import Oss

            return Oss(self.settings, self.credential)
        return _Rpc(name, self.settings, self.credential)

    def close(self) -> None:
        """The SDKs share their connections, and leave them to the process."""


class _Rpc:
    """One product's SDK: those that are generated are all alike."""

    def __init__(self, name: str, settings: Settings, credential: Any) -> None:
        from alibabacloud_tea_openapi.models import Config
        from darabonba.policy.retry import RetryOptions

        package = _PACKAGES[name]
        self.models = importlib.import_module(f"{package}.models")
        kind = importlib.import_module(f"{package}.client").Client
        self._client = kind(
            Config(
                credential=credential,
                region_id=settings.region,
                endpoint=settings.endpoints.get(name) or None,
                protocol=settings.protocol,
                connect_timeout=settings.connect_timeout,
                read_timeout=settings.read_timeout,
                user_agent=settings.user_agent or None,
                retry_options=RetryOptions({"retryable": False}),  # what repeats is above, and knows more
            )
        )
        self._methods = {
            method.removesuffix("_with_options").replace("_", ""): method
            for method in dir(kind)
            if method.endswith("_with_options")
        }
        self._region = settings.region

    def call(self, action: str, parameters: Answer) -> Answer:
        from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
        from darabonba.runtime import RuntimeOptions
        from Tea.exceptions import TeaException, UnretryableException

        method = getattr(self._client, self._methods[action.lower()])
        try:
            if (model := getattr(self.models, f"{action}Request", None)) is None:
                response = method(RuntimeOptions())
            else:
                response = method(self._request(model, action, parameters), RuntimeOptions())
        except AlibabaCloudException as error:
            data = error.data if isinstance(error.data, dict) else {}
            request = str(data.get("RequestId") or error.request_id or "")
            message = str(data.get("Message") or error.message)
            raise Refused(action, str(error.code), message, int(error.status_code or 0), request) from None
        except (TeaException, UnretryableException, OSError) as error:
            inner = getattr(error, "inner_exception", None)
            if isinstance(inner, Refused | Unreached):  # of the call that gets the credentials
                raise inner from None
            if type(inner).__module__.startswith("alibabacloud_credentials"):
                raise ResourceError(
                    f"no credentials: {_cause(error)}", fix="check the role or profile that they come from"
                ) from None
            raise Unreached(action, _cause(error)) from None
        answer: Answer = response.body.to_map()
        return answer

    def _request(self, model: Any, action: str, parameters: Answer) -> Any:
        request = model().from_map(parameters)
        if hasattr(request, "region_id") and request.region_id is None:
            request.region_id = self._region
        if lost := parameters.keys() - request.to_map().keys():
            raise LookupError(f"{action}: the SDK knows no parameter {', '.join(sorted(lost))}")
        return request


def client_token() -> str:
    """Makes a creation happen once, however often it is asked for; at most 64 characters."""
    return f"berth-{uuid.uuid4()}"


def _cause(error: BaseException) -> str:
    inner = getattr(error, "inner_exception", None) or error
    return str(getattr(inner, "message", None) or inner).strip()
