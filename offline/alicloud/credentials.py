"""Who the plugin is for Alibaba Cloud: keys, a token, or a role that it assumes."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from offline.alicloud.api import Api, Patience, Settings
from offline.provider.resource import ResourceError

_EARLY: Final = 180.0  # seconds before its end that a session is renewed
_SESSION: Final = "terraform"  # the official provider's name for it
_WAIT: Final = 60.0


def credential(config: Mapping[str, Any], settings: Settings) -> Any:
    """The SDK's credentials client for a completed config. Raises ResourceError where nothing is given."""
    base = _base(config)
    role = config.get("assumeRole")
    # A token means that the role has been assumed already: so does the official provider see it.
    if role and not config.get("securityToken"):
        return AssumedRole(Api(settings, lambda: base), role)
    return base


def _base(config: Mapping[str, Any]) -> Any:
    from alibabacloud_credentials.client import Client
    from alibabacloud_credentials.models import Config

    key, secret, token = (
        str(config.get(n) or "").strip() for n in ("accessKey", "secretKey", "securityToken")
    )
    if key and secret:
        if token:
            return Client(
                Config(type="sts", access_key_id=key, access_key_secret=secret, security_token=token)
            )
        return Client(Config(type="access_key", access_key_id=key, access_key_secret=secret))
    if uri := config.get("credentialsUri"):
        return Client(Config(type="credentials_uri", credentials_uri=uri))
    if oidc := config.get("assumeRoleWithOidc"):
        return Client(
            Config(
                type="oidc_role_arn",
                role_arn=oidc.get("roleArn"),
                oidc_provider_arn=oidc.get("oidcProviderArn"),
                oidc_token_file_path=oidc.get("oidcTokenFile"),
                role_session_name=oidc.get("roleSessionName") or _SESSION,
                role_session_expiration=oidc.get("sessionExpiration"),
                policy=oidc.get("policy"),
            )
        )
    if name := config.get("ecsRoleName"):
        return Client(Config(type="ecs_ram_role", role_name=name))
    raise ResourceError(
        "no credentials for Alibaba Cloud are given",
        fix="set alicloud:accessKey and alicloud:secretKey (--secret), or ALICLOUD_ACCESS_KEY and "
        "ALICLOUD_SECRET_KEY, or alicloud:profile",
    )


class AssumedRole:
    """Credentials of a role, renewed before they end. It is what the SDK asks for, and no more."""

    def __init__(self, api: Api, role: Mapping[str, Any]) -> None:
        self._api = api
        self._role = role
        self._lock = threading.Lock()
        self._ends = 0.0
        self._model: Any = None

    def get_credential(self) -> Any:
        """The keys of now."""
        from alibabacloud_credentials.models import CredentialModel

        with self._lock:
            if time.monotonic() > self._ends - _EARLY:
                seconds = self._role["sessionExpiration"]
                asked = {
                    "RoleArn": self._role.get("roleArn"),
                    "RoleSessionName": self._role.get("sessionName") or _SESSION,
                    "DurationSeconds": seconds,
                    "Policy": self._role.get("policy"),
                    "ExternalId": self._role.get("externalId"),
                }
                given = {name: value for name, value in asked.items() if value}
                began = time.monotonic()
                patience = Patience.of(threading.Event(), _WAIT)
                keys = self._api.call("sts", "AssumeRole", given, patience)["Credentials"]
                self._ends = began + seconds
                self._model = CredentialModel(
                    access_key_id=keys["AccessKeyId"],
                    access_key_secret=keys["AccessKeySecret"],
                    security_token=keys["SecurityToken"],
                    type="ram_role_arn",
                    provider_name="berth",
                )
            return self._model
