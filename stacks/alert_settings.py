"""`berth:alerts`: whom `./berth health --alert` tells. Their URLs are secrets: who has one can post."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from components.spec import Spec
from components.units import Like
from stacks.secrets import ForeignRequest, SecretRequest

PREFIX: Final = "alert_"
"""Of the names of their secrets, so that none is a system's."""

SecretName = Annotated[
    str, Like(rf"{PREFIX}[a-z0-9_]{{1,60}}", f"small letters, digits and `_` after {PREFIX}, like alert_ops")
]


class Alert(Spec):
    """A webhook. url: the name of the secret below `berth:secrets` that holds its URL."""

    url: SecretName

    def secrets(self) -> Iterator[SecretRequest]:
        """Those that it needs."""
        yield ForeignRequest(self.url, "the URL of a webhook for alerts", is_url=True)


class SignedAlert(Alert):
    """signature: the name of the secret that its robot has for signing, where that is switched on."""

    signature: SecretName | None = None

    def secrets(self) -> Iterator[SecretRequest]:
        yield from super().secrets()
        if self.signature:
            yield ForeignRequest(self.signature, "what an alert's robot signs with")


class GenericAlert(Alert):
    """Gets the document of `./berth health --json`."""

    kind: Literal["generic"]


class DingTalkAlert(SignedAlert):
    """A custom robot of a DingTalk group; where it wants a keyword: berth."""

    kind: Literal["dingtalk"]


class FeishuAlert(SignedAlert):
    """A custom bot of a Feishu or Lark group; where it wants a keyword: berth."""

    kind: Literal["feishu"]


class WeComAlert(Alert):
    """A robot of a WeCom group."""

    kind: Literal["wecom"]


AnyAlert = Annotated[GenericAlert | DingTalkAlert | FeishuAlert | WeComAlert, Field(discriminator="kind")]
