"""The provider's config: from the stack, else the environment, else a profile of Alibaba's own CLI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from offline.alicloud import schema
from offline.alicloud.api import Settings
from offline.alicloud.field import Property, between, one_of
from offline.provider import check
from offline.provider.resource import UNKNOWN, CheckFailure, Field, ResourceError
from offline.provider.schema import Shape

PRODUCTS: Final = ("ecs", "oss", "ram", "sts", "vpc")
DEFAULT_REGION: Final = "cn-beijing"
DEFAULT_EXPIRATION: Final = 3600  # seconds

_NO_EFFECT: Final = "no resource that this plugin serves uses it; the official alicloud plugin is needed"
_REGIONS: Final = frozenset(
    (
        "cn-hangzhou", "cn-qingdao", "cn-beijing", "cn-shenzhen", "cn-hongkong", "cn-shanghai",
        "cn-zhangjiakou", "cn-huhehaote", "cn-chengdu", "cn-heyuan", "cn-wulanchabu", "cn-guangzhou",
        "cn-nanjing", "cn-fuzhou", "cn-zhongwei", "us-west-1", "us-east-1", "us-southeast-1", "na-south-1",
        "ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3",
        "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ap-southeast-8", "ap-south-1", "me-east-1",
        "me-central-1", "eu-central-1", "eu-west-1", "rus-west-1", "cn-north-2-gov-1",
        "cn-shenzhen-finance-1", "cn-szfinance", "cn-shenzhen-finance", "cn-beijing-finance-1",
        "cn-beijing-finance-1-pub", "cn-shanghai-finance-1", "cn-shanghai-finance-1-pub",
        "cn-hangzhou-finance", "cn-hzfinance", "cn-hzjbp",
    )
)  # fmt: skip
# The engine's own options come along with the provider's.
_ENGINE_OPTIONS: Final = ("version", "pluginDownloadURL")

_ENVIRONMENT: Final = {
    "accessKey": ("ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID"),
    "secretKey": ("ALICLOUD_SECRET_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_ACCESS_KEY_SECRET"),
    "securityToken": (
        "ALICLOUD_SECURITY_TOKEN",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
        "ALIBABACLOUD_SECURITY_TOKEN",
    ),
    "ecsRoleName": ("ALICLOUD_ECS_ROLE_NAME", "ALIBABA_CLOUD_ECS_METADATA"),
    "region": ("ALICLOUD_REGION", "ALIBABA_CLOUD_REGION"),
    "accountId": ("ALICLOUD_ACCOUNT_ID", "ALIBABA_CLOUD_ACCOUNT_ID"),
    "sharedCredentialsFile": ("ALICLOUD_SHARED_CREDENTIALS_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE"),
    "profile": ("ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE"),
    "credentialsUri": ("ALICLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_CREDENTIALS_URI"),
    "skipRegionValidation": ("ALICLOUD_SKIP_REGION_VALIDATION",),
    "configurationSource": ("TF_APPEND_USER_AGENT",),
    "clientReadTimeout": ("CLIENT_READ_TIMEOUT",),
    "clientConnectTimeout": ("CLIENT_CONNECT_TIMEOUT",),
    "maxRetryTimeout": ("MAX_RETRY_TIMEOUT",),
}
_ROLE_ENVIRONMENT: Final = {
    "roleArn": ("ALICLOUD_ASSUME_ROLE_ARN", "ALIBABA_CLOUD_ROLE_ARN"),
    "sessionName": ("ALICLOUD_ASSUME_ROLE_SESSION_NAME", "ALIBABA_CLOUD_ROLE_SESSION_NAME"),
    "sessionExpiration": ("ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION",),
}
_OIDC_ENVIRONMENT: Final = {
    "oidcProviderArn": ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN",),
    "oidcTokenFile": ("ALIBABA_CLOUD_OIDC_TOKEN_FILE",),
    "roleArn": ("ALIBABA_CLOUD_ROLE_ARN",),
    "roleSessionName": ("ALIBABA_CLOUD_ROLE_SESSION_NAME",),
}
SECRETS: Final = ("secretKey", "securityToken")


def _endpoints() -> dict[str, Field]:
    shapes = schema.config()["endpoints"]["items"]["properties"]
    return {name: Field(refused=None if name in PRODUCTS else _NO_EFFECT) for name in shapes}


CONFIG: Final[Mapping[str, Field]] = {
    "accessKey": Field(),
    "secretKey": Field(),
    "securityToken": Field(),
    "region": Field(),
    "profile": Field(),
    "sharedCredentialsFile": Field(),
    "ecsRoleName": Field(),
    "credentialsUri": Field(),
    "accountId": Field(),
    "assumeRole": Field(
        nested={
            "roleArn": Field(),
            "sessionName": Field(),
            "policy": Field(),
            "sessionExpiration": Property(valid=between(900, 43200)),
            "externalId": Field(),
        }
    ),
    "assumeRoleWithOidc": Field(
        nested={
            "oidcProviderArn": Field(),
            "oidcToken": Field(refused="put the token into a file and name that in oidcTokenFile"),
            "oidcTokenFile": Field(),
            "roleArn": Field(),
            "roleSessionName": Field(),
            "policy": Field(),
            "sessionExpiration": Field(),
        }
    ),
    "endpoints": Field(unordered=True, nested=_endpoints()),
    "protocol": Property(default="HTTPS", valid=one_of("HTTP", "HTTPS")),
    "skipRegionValidation": Field(),
    "clientConnectTimeout": Field(),
    "clientReadTimeout": Field(),
    "maxRetryTimeout": Field(),
    "configurationSource": Field(),
    "accountType": Field(refused=_NO_EFFECT),
    "features": Field(nested={"ecsInstance": Field(nested={"replaceOnImageUpdate": Field()})}),
    "fc": Field(refused=_NO_EFFECT),
    "logEndpoint": Field(refused=_NO_EFFECT),
    "mnsEndpoint": Field(refused=_NO_EFFECT),
    "otsInstanceName": Field(refused=_NO_EFFECT),
    "secureTransport": Field(
        refused="the plugin sends no acs:SecureTransport; use the official alicloud plugin"
    ),
    "securityTransport": Field(refused="deprecated, and no acs:SecureTransport is sent by this plugin"),
    "signVersion": Field(refused="OSS is always called with signature V4, the newest"),
    "sourceIp": Field(refused="the plugin sends no acs:SourceIp; use the official alicloud plugin"),
}


def read_config(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[CheckFailure]]:
    """The config as plain values, and what is wrong with it. The engine passes lists on as JSON."""
    shapes = schema.config()
    config = {
        name: _parsed(shapes.get(name, {}), value)
        for name, value in given.items()
        if name not in _ENGINE_OPTIONS and not name.startswith("__")
    }
    failures = check.failures(CONFIG, shapes, [], config)
    if not failures:
        config = check.convert(shapes, config)
        failures = list(_wrong(config))
    return config, failures


def _parsed(shape: Shape, value: Any) -> Any:
    if shape.get("type") == "string" or value is UNKNOWN or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # the check of types names it


def _wrong(config: Mapping[str, Any]) -> list[CheckFailure]:
    from offline.alicloud.field import failures

    role = config.get("assumeRole") or {}
    nested = CONFIG["assumeRole"].nested or {}
    found = list(failures(CONFIG, config))
    found += [
        CheckFailure(property=f"assumeRole.{one.property}", reason=one.reason)
        for one in failures(nested, role)
    ]
    region = config.get("region")
    skips = config.get("skipRegionValidation")
    if region not in (None, UNKNOWN) and not skips and region not in _REGIONS:
        reason = f"'{region}' is no region of Alibaba Cloud; skipRegionValidation takes it nevertheless"
        found.append(CheckFailure(property="region", reason=reason))
    return found


def completed(config: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The config with what the environment and the profile add. Raises ResourceError."""
    shapes = schema.config()
    full = _with_environment(shapes, config, _ENVIRONMENT, environ)
    if profile := full.get("profile"):
        _must_be_there(profile, full, environ)
        for name, value in _profile(profile, full.get("sharedCredentialsFile"), environ).items():
            if name == "assumeRole":
                full[name] = value | dict(full.get(name) or {})
            else:
                full[name] = full.get(name) or value
    if full.get("assumeRole"):
        role = _with_environment({}, full["assumeRole"], _ROLE_ENVIRONMENT, environ)
        expiration = int(role.get("sessionExpiration") or DEFAULT_EXPIRATION)
        full["assumeRole"] = role | {"sessionExpiration": expiration}
    if "assumeRoleWithOidc" in full:
        full["assumeRoleWithOidc"] = _with_environment(
            {}, full["assumeRoleWithOidc"], _OIDC_ENVIRONMENT, environ
        )
    full["region"] = full.get("region") or DEFAULT_REGION
    if wrong := _wrong(full):
        raise ResourceError("; ".join(f"alicloud:{one.property}: {one.reason}" for one in wrong))
    return full


def _with_environment(
    shapes: Mapping[str, Shape],
    given: Mapping[str, Any],
    names: Mapping[str, tuple[str, ...]],
    environ: Mapping[str, str],
) -> dict[str, Any]:
    found = {
        name: next((environ[variable] for variable in variables if environ.get(variable)), None)
        for name, variables in names.items()
        if given.get(name) in (None, "")
    }
    added = {name: value for name, value in found.items() if value is not None}
    return dict(given) | check.convert({name: shapes[name] for name in added if name in shapes}, added)


def _must_be_there(profile: str, config: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Raises ResourceError where only the file of profiles could give credentials, and there is none."""
    path = _profiles(config.get("sharedCredentialsFile"), environ)
    others = ("accessKey", "ecsRoleName", "credentialsUri", "assumeRoleWithOidc")
    if not path.exists() and not any(config.get(name) for name in others):
        raise ResourceError(
            f"profile '{profile}' is to give the credentials, and there is no file {path}",
            fix=f"write it with `aliyun configure --profile {profile}`, or let sharedCredentialsFile "
            "name the one that has it; `./berth cloud start` writes that of an emulated cloud",
        )


def _profiles(file: str | None, environ: Mapping[str, str]) -> Path:
    """The file that `aliyun configure` writes; file: as it is given, if it is."""
    home = Path(environ.get("HOME") or Path.home())
    return Path(file.replace("~", str(home), 1)) if file else home / ".aliyun" / "config.json"


def _profile(name: str, file: str | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a profile of `aliyun configure` says, in the words of this config."""
    path = _profiles(file, environ)
    if not path.exists():
        return {}
    try:
        profiles = json.loads(path.read_text("utf-8"))["profiles"]
        found = next((one for one in profiles if one["name"] == name), None)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ResourceError(
            f"{path} cannot be read: {error}", fix="write it anew with `aliyun configure`"
        ) from None
    if found is None:
        raise ResourceError(
            f"{path} has no profile '{name}'",
            fix=f"set alicloud:profile to one of {', '.join(str(one.get('name')) for one in profiles)}",
        )
    keys = {
        "accessKey": found.get("access_key_id"),
        "secretKey": found.get("access_key_secret"),
        "region": found.get("region_id"),
    }
    match mode := found.get("mode"):
        case "AK":
            pass
        case "StsToken":
            keys["securityToken"] = found.get("sts_token")
        case "RamRoleArn":
            role = {
                "roleArn": found.get("ram_role_arn"),
                "sessionName": found.get("ram_session_name"),
                "sessionExpiration": found.get("expired_seconds"),
            }
            keys["assumeRole"] = {key: value for key, value in role.items() if value}
        case "EcsRamRole":
            keys = {"ecsRoleName": found.get("ram_role_name"), "region": found.get("region_id")}
        case _:
            raise ResourceError(
                f"profile '{name}' is of the mode {mode}, which this plugin does not serve",
                fix="choose a profile of mode AK, StsToken, RamRoleArn or EcsRamRole",
            )
    return {key: value for key, value in keys.items() if value}


def settings(config: Mapping[str, Any]) -> Settings:
    """How a completed config wants the APIs to be reached."""
    endpoints = {
        name: endpoint.strip().removeprefix("http://").removeprefix("https://").rstrip("/")
        for one in config.get("endpoints") or ()
        for name, endpoint in one.items()
        if endpoint
    }
    limit = config.get("maxRetryTimeout")
    found = Settings(
        region=config["region"],
        protocol=config.get("protocol") or "HTTPS",
        endpoints=endpoints,
        connect_timeout=int(config.get("clientConnectTimeout") or 60_000),
        read_timeout=int(config.get("clientReadTimeout") or 60_000),
        user_agent=f"berth {config.get('configurationSource') or ''}".strip(),
        replaces_on_image=bool(
            ((config.get("features") or {}).get("ecsInstance") or {}).get("replaceOnImageUpdate")
        ),
    )
    return Settings(**(vars(found) | {"limit": float(limit)})) if limit else found
