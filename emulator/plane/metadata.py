"""What the metadata service answers a machine: pure, from the instance to its documents."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from emulator.services.ecs.model_instances import Instance
from emulator.services.vpc.model import Vpc, VSwitch


def documents(
    instance: Instance, vswitch: VSwitch, vpc: Vpc, *, account: str, public: str, public_key: str
) -> Mapping[str, str]:
    """By path. public: the EIP or the public address; empty where it has none."""
    nic = f"meta-data/network/interfaces/macs/{instance.mac}"
    address = str(instance.address)
    found = {
        "meta-data/instance-id": instance.id,
        "meta-data/hostname": instance.host_name,
        "meta-data/image-id": instance.image,
        "meta-data/region-id": instance.region,
        "meta-data/zone-id": instance.zone,
        "meta-data/mac": instance.mac,
        "meta-data/private-ipv4": address,
        "meta-data/network-type": "vpc",
        "meta-data/owner-account-id": account,
        "meta-data/serial-number": instance.id,
        "meta-data/vpc-id": instance.vpc,
        "meta-data/vpc-cidr-block": str(vpc.cidr),
        "meta-data/vswitch-id": instance.vswitch,
        "meta-data/vswitch-cidr-block": str(vswitch.cidr),
        "meta-data/instance/instance-type": instance.type,
        "meta-data/instance/instance-name": instance.name,
        "meta-data/dns-conf/nameservers": "100.100.2.136\n100.100.2.138",
        f"{nic}/network-interface-id": instance.eni,
        f"{nic}/primary-ip-address": address,
        f"{nic}/private-ipv4s": json.dumps([address]),
        f"{nic}/netmask": str(vswitch.cidr.netmask),
        f"{nic}/gateway": str(vswitch.cidr[-3]),
        f"{nic}/vswitch-id": instance.vswitch,
        f"{nic}/vswitch-cidr-block": str(vswitch.cidr),
        f"{nic}/vpc-id": instance.vpc,
        f"{nic}/vpc-cidr-block": str(vpc.cidr),
        "dynamic/instance-identity/document": json.dumps(
            {
                "account-id": account,
                "create-time": "",
                "image-id": instance.image,
                "instance-id": instance.id,
                "instance-type": instance.type,
                "mac": instance.mac,
                "owner-account-id": account,
                "private-ipv4": address,
                "region-id": instance.region,
                "serial-number": instance.id,
                "vpc-id": instance.vpc,
                "vpc-vswitch-id": instance.vswitch,
                "zone-id": instance.zone,
            }
        ),
    }
    if public:
        found["meta-data/eipv4"] = public
    if public_key:
        found["meta-data/public-keys/0/openssh-key"] = public_key
    if instance.ipv6:
        found[f"{nic}/ipv6s"] = f"[{', '.join(map(str, instance.ipv6))}]"
    if instance.user_data:
        found["user-data"] = _decoded(instance.user_data)
    return found


def _decoded(user_data: str) -> str:
    try:
        return base64.b64decode(user_data).decode()
    except (ValueError, binascii.Error):
        return user_data


def entry(instance: Instance, papers: Mapping[str, str]) -> dict[str, Any]:
    """What the service in the router reads of one machine."""
    return {
        "endpoint": instance.http_endpoint == "enabled",
        "tokens": instance.http_tokens,
        "documents": dict(papers),
    }
