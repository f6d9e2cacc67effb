"""Regions and their zones, as far as they are of use here: a choice of the real ones, under their names."""

from __future__ import annotations

from typing import Final

REGIONS: Final[dict[str, tuple[str, str]]] = {
    "cn-hangzhou": ("China (Hangzhou)", "bghijk"),
    "cn-shanghai": ("China (Shanghai)", "abefglmn"),
    "cn-beijing": ("China (Beijing)", "acefghijkl"),
    "cn-shenzhen": ("China (Shenzhen)", "acdef"),
    "cn-qingdao": ("China (Qingdao)", "bc"),
    "cn-zhangjiakou": ("China (Zhangjiakou)", "abc"),
    "cn-chengdu": ("China (Chengdu)", "ab"),
    "cn-guangzhou": ("China (Guangzhou)", "ab"),
    "cn-hongkong": ("China (Hong Kong)", "bcd"),
    "ap-southeast-1": ("Singapore", "abc"),
    "ap-northeast-1": ("Japan (Tokyo)", "abc"),
    "eu-central-1": ("Germany (Frankfurt)", "abc"),
    "us-west-1": ("US (Silicon Valley)", "ab"),
    "us-east-1": ("US (Virginia)", "ab"),
}
"""By id: the name, and the letters of its zones."""


def zones(region: str) -> list[str]:
    """Zone ids: behind a region id that ends in a digit the letter stands without a dash."""
    joint = "" if region[-1].isdigit() else "-"
    return [f"{region}{joint}{letter}" for letter in REGIONS[region][1]]
