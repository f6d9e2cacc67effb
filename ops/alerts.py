"""What is not healthy, told to webhooks: any, or the robots of DingTalk, Feishu and WeCom groups.

Formats: open.dingtalk.com/document/orgapp/custom-robots-send-group-messages,
open.feishu.cn/document/client-docs/bot-v3/add-custom-bot, developer.work.weixin.qq.com/document/path/91770.
A URL is a secret: no message of ours has more of it than its scheme and host.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from ops import settings
from ops.condition import UNKNOWN, Checkup, clean, document, lines
from ops.errors import UserError
from ops.progress import say
from stacks.secrets import is_near, url_refusal

if TYPE_CHECKING:
    from ops.stack import Stack

MOST = 2000
"""Bytes of a message: WeCom takes 2048, the others ten times as many."""
_LINE = 400  # bytes of one finding
_TIMEOUT = 10.0  # seconds of silence; the others have their turn
_TOTAL = 20.0  # seconds for all of one webhook, which may answer drop by drop
_TOKEN = 12  # characters at least of what may be one in a URL
_READ = 1 << 16  # bytes of an answer

Kind = Literal["generic", "dingtalk", "feishu", "wecom"]


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One of `berth:alerts`, with its secrets' values. name: that of the secret with its URL."""

    kind: Kind
    name: str
    url: str = field(repr=False)
    signature: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """As it may be told: what says where it leads, and lets nobody post there."""
        parts = urlsplit(self.url)
        return f"{self.kind} {self.name} ({parts.scheme}://{parts.hostname})"


def webhooks(stack: Stack) -> list[Webhook]:
    """Those of the stack file. Raises UserError when there is none, or one of their secrets is missing."""
    wanted = settings.check(stack.file, secrets=False).alerts
    if not wanted:
        raise UserError(
            f"--alert: {stack.file.path.name} has no berth:alerts to tell",
            fix="add `berth:alerts: [{kind: dingtalk, url: alert_ops}]`, and its URL as the secret alert_ops "
            "(docs/health.md); or leave --alert away",
            code=UNKNOWN,
        )
    found = []
    for alert in wanted:
        signature = getattr(alert, "signature", None)
        url = _secret(stack, alert.url)
        if (refusal := url_refusal(url)) is not None:
            raise UserError(
                f"berth:secrets.{alert.url}: {refusal}", fix=_setting(stack, alert.url), code=UNKNOWN
            )
        found.append(
            Webhook(
                kind=alert.kind,
                name=alert.url,
                url=url,
                signature=_secret(stack, signature) if signature else None,
            )
        )
    return found


def _secret(stack: Stack, name: str) -> str:
    if name not in (stack.file.config.get("secrets") or {}):
        raise UserError(f"berth:secrets.{name} is not set", fix=_setting(stack, name), code=UNKNOWN)
    path = f"berth:secrets.{name}"
    return stack.pulumi.capture("config", "get", "--path", path, "--stack", stack.name).strip()


def _setting(stack: Stack, name: str) -> str:
    from stacks.secrets import setting_command

    return f'eval "$(./berth env -s {stack.name})" && {setting_command(name, stack.name)}'


def text(found: Checkup) -> str:
    """What people read: the state and what is not well, the worst first, as much as every robot takes."""
    head = f"berth: stack {found.stack} is {found.state.name} ({found.looked})"
    said, size = [head], len(head.encode())
    rest = [_cut(line) for line in lines(found.wrong)]
    for number, line in enumerate(rest):
        size += len(line.encode()) + 1
        if size > MOST - 100:  # room for the last line
            said.append(f"and {len(rest) - number} more: ./berth health -s {found.stack}")
            break
        said.append(line)
    return "\n".join(said)


def _cut(line: str) -> str:
    """So short that several fit."""
    return line if len(line.encode()) <= _LINE else f"{line.encode()[:_LINE].decode(errors='ignore')}…"


def request(hook: Webhook, found: Checkup, *, now: float) -> tuple[str, dict[str, Any]]:
    """URL and body for one webhook. now: seconds since the epoch, which signatures are made with."""
    match hook.kind:
        case "generic":
            return hook.url, document(found)
        case "dingtalk":
            return _signed_url(hook, now), {"msgtype": "text", "text": {"content": text(found)}}
        case "feishu":
            body: dict[str, Any] = {"msg_type": "text", "content": {"text": text(found)}}
            return hook.url, _signed_body(hook, now) | body
        case "wecom":
            return hook.url, {"msgtype": "text", "text": {"content": text(found)}}


def _signed_url(hook: Webhook, now: float) -> str:
    """DingTalk: milliseconds and key, signed with the key, in the URL."""
    if hook.signature is None:
        return hook.url
    stamp = str(round(now * 1000))
    made = _hmac(hook.signature, f"{stamp}\n{hook.signature}")
    return f"{hook.url}{'&' if '?' in hook.url else '?'}{urlencode({'timestamp': stamp, 'sign': made})}"


def _signed_body(hook: Webhook, now: float) -> dict[str, str]:
    """Feishu: nothing, signed with seconds and key, in the body."""
    if hook.signature is None:
        return {}
    stamp = str(int(now))
    return {"timestamp": stamp, "sign": _hmac(f"{stamp}\n{hook.signature}", "")}


def _hmac(key: str, message: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()


def send(
    hooks: Sequence[Webhook], found: Checkup, *, post: Callable[..., str | None] | None = None
) -> list[str]:
    """Tells each; a line on stderr for each that was not reached, or refused. Those lines."""
    missed = []
    for hook in hooks:
        url, body = request(hook, found, now=time.time())
        if (problem := _in_time(post or _post, hook, url, body)) is not None:
            missed.append(f"alert {hook.shown} was not taken: {problem}")
            say(missed[-1])
    return missed


def _in_time(post: Callable[..., str | None], hook: Webhook, url: str, body: Mapping[str, Any]) -> str | None:
    """What `post` says, if it ends in time."""
    said: list[str | None] = []
    thread = threading.Thread(target=lambda: said.append(post(hook, url, body)), daemon=True)
    thread.start()
    thread.join(_TOTAL)
    if thread.is_alive():
        return f"no answer in {_TOTAL:.0f} s"
    return said[0] if said else "a defect, which stands above"


def _post(hook: Webhook, url: str, body: Mapping[str, Any]) -> str | None:
    """None when it was taken, else why not. No text of an exception: those show the whole URL."""
    import requests
    from urllib3.exceptions import HTTPError

    with requests.Session() as session:
        # What is on this machine or beside it is behind no proxy.
        session.trust_env = not is_near(urlsplit(url).hostname or "")
        try:
            with session.post(url, json=body, timeout=_TIMEOUT, allow_redirects=False, stream=True) as answer:
                if not 200 <= answer.status_code < 300:
                    return f"HTTP {answer.status_code}"
                if hook.kind == "generic":
                    return None
                said = refused(answer.raw.read(_READ, decode_content=True))
                return said and masked(said, hook)
        except (requests.RequestException, ValueError, OSError, HTTPError) as error:
            return f"no answer ({type(error).__name__})"


def refused(body: bytes) -> str | None:
    """Why a robot that answers with 200 took nothing, as they all do: by a code that is not 0."""
    import json

    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return "its answer is no robot's"
    # DingTalk and WeCom say errcode; Feishu says code, and before said StatusCode.
    code = next((said[name] for name in ("errcode", "code", "StatusCode") if name in said), None)
    if code == 0:
        return None
    words = next((said[name] for name in ("errmsg", "msg", "StatusMessage") if name in said), "")
    return f"code {_short(code)}: {_short(words)}"


def _short(said: object) -> str:
    """What a webhook answers, as a terminal can bear it."""
    return clean(said if isinstance(said, str) else repr(said))


def masked(said: str, hook: Webhook) -> str:
    """Without what only we and the webhook know, which it may repeat."""
    parts = urlsplit(hook.url)
    secret = {hook.url, parts.path.rpartition("/")[2]}
    secret |= {value for values in parse_qs(parts.query).values() for value in values}
    secret = {it for it in secret if len(it) >= _TOKEN} | {hook.signature or hook.url}
    for one in sorted(secret, key=len, reverse=True):
        said = said.replace(one, "***")
    return said
