"""What may be ordered where, and what it costs. Everything is in stock in every zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from emulator.api.errors import ApiError
from emulator.images import Image, images
from emulator.instance_types import InstanceType, instance_types
from emulator.regions import REGIONS, zones

CHINESE: Final = {
    "cn-hangzhou": ("华东1", "杭州"),
    "cn-shanghai": ("华东2", "上海"),
    "cn-beijing": ("华北2", "北京"),
    "cn-shenzhen": ("华南1", "深圳"),
    "cn-qingdao": ("华北1", "青岛"),
    "cn-zhangjiakou": ("华北3", "张家口"),
    "cn-chengdu": ("西南1", "成都"),
    "cn-guangzhou": ("华南3", "广州"),
    "cn-hongkong": ("中国", "香港"),
    "ap-southeast-1": ("", "新加坡"),
    "ap-northeast-1": ("日本", "东京"),
    "eu-central-1": ("德国", "法兰克福"),
    "us-west-1": ("美国", "硅谷"),
    "us-east-1": ("美国", "弗吉尼亚"),
}
"""Area and city of a region."""


@dataclass(frozen=True)
class DiskCategory:
    """A kind of disk. Sizes in GiB."""

    id: str
    least_system: int
    least_data: int
    most: int
    price: Decimal
    """CNY for a GiB and hour, about."""


DISKS: Final = {
    one.id: one
    for one in (
        DiskCategory("cloud_efficiency", 20, 20, 32768, Decimal("0.00049")),
        DiskCategory("cloud_ssd", 20, 20, 32768, Decimal("0.0014")),
        DiskCategory("cloud_essd", 20, 20, 65536, Decimal("0.0021")),
        DiskCategory("cloud_essd_entry", 20, 10, 32768, Decimal("0.00078")),
        DiskCategory("cloud_auto", 40, 40, 65536, Decimal("0.0014")),
    )
}
SOLD_OUT: Final = ("cloud", "ephemeral_ssd", "ephemeral", "elastic_ephemeral_disk_standard")
"""Categories that there are, but not here."""
LEVELS: Final = {"PL0": Decimal("0.5"), "PL1": Decimal(1), "PL2": Decimal(2), "PL3": Decimal(4)}
"""Performance levels of cloud_essd, by what they cost against PL1."""
HOURS: Final = {"Hour": 1, "Day": 24, "Week": 168, "Month": 720, "Year": 8640}
_VCPU: Final = Decimal("0.11")
_GIB: Final = Decimal("0.035")
_GPU: Final = Decimal(7)
_MBIT: Final = Decimal("0.063")
_CENT: Final = Decimal("0.001")


def region_name(region: str, language: str) -> str:
    """In Chinese, with its wide parentheses, for zh-CN; else in English."""
    if language != "zh-CN":
        return REGIONS[region][0]
    area, city = CHINESE[region]
    return f"{area}\uff08{city}\uff09" if area else city


def zone_name(zone: str, region: str, language: str) -> str:
    """`杭州 可用区H`, `Hangzhou Zone H`."""
    letter = zone[-1].upper()
    if language == "zh-CN":
        return f"{CHINESE[region][1]} 可用区{letter}"
    name = REGIONS[region][0]
    return f"{name.partition('(')[2].rstrip(')') or name} Zone {letter}"


def must_be_zone(region: str, zone: str) -> None:
    if zone not in zones(region):
        raise ApiError(404, "InvalidZoneId.NotFound", "The specified zone does not exist.")


def instance_type(type_id: str) -> InstanceType:
    """Raises ApiError for a type that there is not."""
    found = instance_types().get(type_id)
    if found is None:
        raise ApiError(
            400, "InvalidInstanceType.ValueNotSupported", "The specified InstanceType is not supported."
        )
    return found


def image(image_id: str) -> Image:
    """Raises ApiError for one that there is not."""
    found = images().get(image_id)
    if found is None:
        raise ApiError(404, "InvalidImageId.NotFound", "The specified ImageId does not exist.")
    return found


def newest(family: str) -> Image:
    """The image that a family stands for: `acs:ubuntu_24_04_x64`. Raises ApiError where it has none."""
    found = [one for one in images().values() if one.family == family]
    if not found:
        raise ApiError(404, "InvalidImageFamily.NotFound", "The specified ImageFamily does not exist.")
    return max(found, key=lambda one: one.created)


@dataclass(frozen=True)
class Priced:
    """One part of an order and its price, in CNY."""

    resource: str
    price: Decimal


def disk_price(category: str, size: int, level: str) -> Decimal:
    """CNY an hour."""
    return DISKS[category].price * size * (LEVELS[level] if category == "cloud_essd" else 1)


def type_price(one: InstanceType) -> Decimal:
    """CNY an hour: not Alibaba Cloud's price, but about as much, from vCPUs, memory and GPUs."""
    shared = Decimal("0.4") if one.family.level != "EnterpriseLevel" else Decimal(1)
    return (one.vcpus * _VCPU + Decimal(str(one.gib)) * _GIB) * shared + one.gpus * _GPU


def bandwidth_price(mbit: int) -> Decimal:
    """CNY an hour, paid by bandwidth."""
    return mbit * _MBIT


def over(parts: Sequence[Priced], unit: str, period: int, amount: int) -> list[Priced]:
    """The same for a time, and for so many. Months and years cost less than their hours do."""
    share = Decimal(1) if unit == "Hour" else Decimal("0.6")
    factor = HOURS[unit] * period * amount * share
    return [
        Priced(part.resource, (part.price * factor).quantize(_CENT, rounding=ROUND_HALF_UP)) for part in parts
    ]
