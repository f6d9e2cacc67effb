"""From a request to its answer: whose it is, which action it asks for, what came of it."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, get_type_hints

from emulator.access import secret_of
from emulator.api import errors, signature, wire
from emulator.api.call import Answer, Call, Caller, Request, parse
from emulator.api.errors import ApiError
from emulator.api.faults import Suffered
from emulator.api.signature import LEEWAY, Signed
from emulator.cloud import Cloud, Logged
from emulator.regions import REGIONS
from emulator.store import Thing

R = TypeVar("R", bound=Request)
Run = Callable[[Call, R], Answer]

_log = logging.getLogger(__name__)
_TOKEN_LASTS: Final = timedelta(days=1)
_READS: Final = ("Describe", "List", "Get", "Query")
_PROTOCOL: Final = frozenset(
    (
        "Action", "Version", "Format", "AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion",
        "SignatureNonce", "SignatureType", "Timestamp", "SecurityToken",
    )
)  # fmt: skip
"""What belongs to the envelope, not to the action."""


@dataclass(frozen=True)
class Action:
    """One action of a service: its parameters and what it does."""

    name: str
    model: type[Request]
    run: Run[Any]
    slow: bool = False
    """Asks somebody else than the store; it only reads."""

    @property
    def changes(self) -> bool:
        return not self.name.startswith(_READS)


class Service:
    """The actions of one product under one version. `regional`: every action wants a region."""

    def __init__(self, product: str, version: str, *, regional: bool = True) -> None:
        self.product = product
        self.version = version
        self.regional = regional
        self.actions: dict[str, Action] = {}

    def action(self, run: Run[R]) -> Run[R]:
        """Serve the function as the action that its parameters' class is named after."""
        return self._add(run)

    def slow_action(self, run: Run[R]) -> Run[R]:
        """The same, beside all others: none waits for it."""
        return self._add(run, slow=True)

    def _add(self, run: Run[R], *, slow: bool = False) -> Run[R]:
        model = get_type_hints(run)["given"]
        self.actions[model.__name__] = Action(model.__name__, model, run, slow)
        return run


class Token(Thing, kind="client-token"):
    """What was answered to a client token, and to which parameters."""

    digest: str
    answer: Answer


def named(request: Signed) -> str:
    """The action that a request asks for; empty where it names none."""
    return request.parameters.get("Action") or request.headers.get("x-acs-action", "")


@dataclass(frozen=True)
class Answered:
    """What goes back: status, body, and whether it ends in its middle."""

    status: int
    body: Answer
    cut: bool = False


class Dispatcher:
    """Answers signed requests for the services that it was given."""

    def __init__(self, cloud: Cloud, services: Mapping[str, Service]) -> None:
        """services: by version, which is unlike from product to product."""
        self.cloud = cloud
        self._services = services
        self._used: set[tuple[str, str]] = set()  # nonces, by key
        self._uses: deque[tuple[datetime, tuple[str, str]]] = deque()  # the same, by when they were used
        self._tokens_seen: datetime | None = None  # when old ones were looked for

    def slow(self, request: Signed) -> bool:
        """Whether the answer may take seconds, and is to be waited for in a thread."""
        name = named(request)
        return any(name in one.actions and one.actions[name].slow for one in self._services.values())

    def answer(self, request: Signed, suffered: Suffered) -> Answered:
        """The answer, an error included. Raises nothing that a request could cause."""
        began, request_id = time.monotonic(), self.cloud.ids.request()
        given, headers = request.parameters, request.headers
        name = named(request)
        version = given.get("Version") or headers.get("x-acs-version", "")
        region, who = given.get("RegionId", ""), ""
        try:
            if not name:
                raise errors.missing("Action")
            if not version:
                raise errors.missing("Version")
            if (service := self._services.get(version)) is None:
                raise errors.invalid_version(version)
            caller = self._caller(request)
            who = caller.user
            suffered.check(began)
            if (action := service.actions.get(name)) is None:
                raise errors.action_not_served(name)
            if given.get("Format", "json").lower() != "json":
                raise errors.not_served(name, "Format=" + given["Format"])
            self.cloud.settle()
            body = self._run(service, action, given, caller, request_id)
            answered = Answered(200, {"RequestId": request_id} | body, suffered.cut)
        except ApiError as refusal:
            answered = self._refused(refusal, request_id, headers.get("host", ""), cut=suffered.cut)
        except sqlite3.OperationalError as failure:  # a full disk, a state that is locked from outside
            why = f"the emulator's state cannot be written: {failure}"
            answered = self._refused(errors.unavailable(why), request_id, headers.get("host", ""))
        except Exception:  # a mistake here: the client is told so, and the log has where it was made
            _log.exception("%s %s", name, request_id)
            answered = self._refused(errors.internal(), request_id, headers.get("host", ""))
        self.cloud.calls.append(
            Logged(
                self.cloud.now(),
                name,
                region,
                who,
                answered.status,
                answered.body.get("Code", "") if answered.status >= 400 else "",
                request_id,
                time.monotonic() - began,
            )
        )
        return answered

    @staticmethod
    def _refused(refusal: ApiError, request_id: str, host: str, *, cut: bool = False) -> Answered:
        body = {
            "RequestId": request_id,
            "HostId": host,
            "Code": refusal.code,
            "Message": refusal.message,
            "Recommend": f"https://api.aliyun.com/troubleshoot?q={refusal.code}&requestId={request_id}",
        }
        return Answered(refusal.status, body, cut)

    def _caller(self, request: Signed) -> Caller:
        claim = signature.claim(request)
        now = self.cloud.now()
        if abs(claim.time - now) > LEEWAY:
            raise errors.expired()
        secret, caller = secret_of(self.cloud, claim.access_key, claim.token)
        claim.check(secret)
        # Only now: a nonce in a request that nobody signed would take it from the one who did.
        while self._uses and self._uses[0][0] < now - 2 * LEEWAY:  # its time stamp is too old by now
            self._used.discard(self._uses.popleft()[1])
        use = (claim.access_key, claim.nonce)
        if use in self._used:
            raise errors.nonce_used()
        self._used.add(use)
        self._uses.append((now, use))
        return caller

    def _run(
        self, service: Service, action: Action, given: Mapping[str, str], caller: Caller, request_id: str
    ) -> Answer:
        own = {name: value for name, value in given.items() if name not in _PROTOCOL}
        parameters = parse(action.model, action.name, wire.nested(own))
        region = parameters.region_id
        if service.regional and action.model.regional and not region:
            raise errors.missing("RegionId")
        if region and region not in REGIONS:
            raise errors.unknown_region(region)
        call = Call(self.cloud, action.name, region, caller, request_id, self.cloud.now())
        if not action.changes:
            return action.run(call, parameters)
        with self.cloud.store.transaction():
            body = self._once(call, action, parameters, own)
            if parameters.dry_run:
                raise errors.dry_run()
        return body

    def _once(self, call: Call, action: Action, parameters: Request, own: dict[str, str]) -> Answer:
        """Run it, unless its client token has been used: the same answer then, and nothing done."""
        if not parameters.client_token:
            return action.run(call, parameters)
        place = f"{call.caller.account}/{call.region}/{action.name}/{parameters.client_token}"
        digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
        known = self.cloud.store.get(Token, place)
        if known is not None and known.created > call.now - _TOKEN_LASTS:
            if known.digest != digest:
                raise errors.other_parameters_with_one_token()
            return known.answer
        body = action.run(call, parameters)
        self._forget_tokens(call.now)
        self.cloud.store.put(
            Token(id=place, region=call.region, created=call.now, digest=digest, answer=body)
        )
        return body

    def _forget_tokens(self, now: datetime) -> None:
        """Client tokens whose time is over; looked for once an hour, as all of them are read for that."""
        if self._tokens_seen is not None and now < self._tokens_seen + timedelta(hours=1):
            return
        self._tokens_seen = now
        for old in self.cloud.store.all(Token):
            if old.created <= now - _TOKEN_LASTS:
                self.cloud.store.remove(old)
