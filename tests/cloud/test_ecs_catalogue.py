"""What may be ordered where, by the official SDK."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m

from emulator.images import images
from emulator.instance_types import families, instance_types
from emulator.regions import REGIONS, zones
from tests.cloud.conftest import REGION, Refused

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

R = {"region_id": REGION}


def test_regions_and_their_zones_have_names_in_both_languages(ecs: Ecs) -> None:
    found = ecs.describe_regions(m.DescribeRegionsRequest()).body.regions.region
    assert [one.region_id for one in found] == list(REGIONS)
    assert found[0].local_name == "华东1\uff08杭州\uff09"
    found = ecs.describe_regions(m.DescribeRegionsRequest(accept_language="en-US")).body.regions.region
    assert (found[0].local_name, found[0].status) == ("China (Hangzhou)", "available")
    for region in REGIONS:
        for language, name in (("zh-CN", "可用区"), ("en-US", "Zone")):
            request = m.DescribeZonesRequest(region_id=region, accept_language=language, verbose=False)
            listed = ecs.describe_zones(request).body.zones.zone
            assert [zone.zone_id for zone in listed] == zones(region)
            assert all(name in zone.local_name and zone.available_resources is None for zone in listed)


def test_zones_say_what_they_have(ecs: Ecs) -> None:
    zone = ecs.describe_zones(m.DescribeZonesRequest(**R)).body.zones.zone[0]
    assert "cloud_essd" in zone.available_disk_categories.disk_categories
    assert "Instance" in zone.available_resource_creation.resource_types
    assert zone.available_instance_types.instance_types == list(instance_types())
    (resources,) = zone.available_resources.resources_info
    assert resources.instance_type_families.supported_instance_type_family == list(families())
    assert resources.network_types.supported_network_category == ["vpc"]


def types(ecs: Ecs, **wanted: Any) -> list[Any]:
    found: list[Any] = ecs.describe_instance_types(
        m.DescribeInstanceTypesRequest(**wanted)
    ).body.instance_types.instance_type
    return found


@pytest.mark.parametrize(
    ("type_id", "vcpus", "gib", "family", "gpus"),
    [
        ("ecs.c7.large", 2, 4, "ecs.c7", 0),
        ("ecs.g6.xlarge", 4, 16, "ecs.g6", 0),
        ("ecs.r8i.2xlarge", 8, 64, "ecs.r8i", 0),
        ("ecs.g6a.4xlarge", 16, 64, "ecs.g6a", 0),
        ("ecs.c6.26xlarge", 104, 192, "ecs.c6", 0),
        ("ecs.t6-c1m2.large", 2, 4, "ecs.t6", 0),
        ("ecs.e-c1m1.large", 2, 2, "ecs.e", 0),
        ("ecs.gn6i-c4g1.xlarge", 4, 15, "ecs.gn6i", 1),
        ("ecs.gn7i-c32g1.32xlarge", 128, 752, "ecs.gn7i", 4),
    ],
)
def test_types_have_what_they_really_have(
    ecs: Ecs, type_id: str, vcpus: int, gib: float, family: str, gpus: int
) -> None:
    (found,) = types(ecs, instance_types=[type_id])
    assert (found.cpu_core_count, found.memory_size) == (vcpus, gib)
    assert (found.instance_type_family, found.gpuamount) == (family, gpus)
    assert bool(found.gpuspec) == bool(gpus)
    assert found.eni_quantity >= 2
    assert (found.initial_credit > 0) == type_id.startswith("ecs.t6")


def test_types_are_found_by_what_they_have(ecs: Ecs) -> None:
    assert {one.instance_type_family for one in types(ecs, gpuspec="NVIDIA T4")} == {"ecs.gn6i"}
    small = types(ecs, maximum_cpu_core_count=2, minimum_memory_size=4, maximum_memory_size=4)
    assert {"ecs.c7.large", "ecs.t6-c1m2.large"} <= {one.instance_type_id for one in small}
    assert all((one.cpu_core_count, one.memory_size) == (2, 4) for one in small)
    assert all(one.eni_quantity >= 8 for one in types(ecs, minimum_eni_quantity=8))
    assert types(ecs, cpu_architecture="ARM") == []
    assert {one.instance_type_family for one in types(ecs, instance_type_families=["ecs.c7", "ecs.e"])} == {
        "ecs.c7",
        "ecs.e",
    }
    families_ = ecs.describe_instance_type_families(
        m.DescribeInstanceTypeFamiliesRequest(**R, generation="ecs-7")
    ).body.instance_type_families.instance_type_family
    assert [one.instance_type_family_id for one in families_] == ["ecs.c8i", "ecs.g8i", "ecs.r8i"]


def test_types_are_listed_piece_by_piece(ecs: Ecs) -> None:
    seen, token = [], None
    while token != "":
        body = ecs.describe_instance_types(
            m.DescribeInstanceTypesRequest(max_results=50, next_token=token)
        ).body
        seen += [one.instance_type_id for one in body.instance_types.instance_type]
        token = body.next_token
    assert seen == list(instance_types())
    assert len(seen) == len(set(seen)) > 100


def available(ecs: Ecs, destination: str, **wanted: Any) -> list[Any]:
    found: list[Any] = ecs.describe_available_resource(
        m.DescribeAvailableResourceRequest(**R, destination_resource=destination, **wanted)
    ).body.available_zones.available_zone
    return found


def values(zone: Any) -> list[str]:
    (resource,) = zone.available_resources.available_resource
    return [one.value for one in resource.supported_resources.supported_resource]


def test_what_is_in_stock(ecs: Ecs, refused: Refused) -> None:
    assert [zone.zone_id for zone in available(ecs, "Zone", io_optimized="optimized")] == zones(REGION)
    (zone,) = available(ecs, "InstanceType", zone_id=zones(REGION)[1], cores=2, memory=4)
    assert (zone.status, zone.status_category) == ("Available", "WithStock")
    assert "ecs.c7.large" in values(zone)
    assert "ecs.g7.large" not in values(zone)
    assert values(available(ecs, "InstanceType", instance_type="ecs.g7.large")[0]) == ["ecs.g7.large"]
    disks = available(ecs, "SystemDisk", instance_type="ecs.g7.large")[0]
    (resource,) = disks.available_resources.available_resource
    essd = next(one for one in resource.supported_resources.supported_resource if one.value == "cloud_essd")
    assert (essd.min, essd.max, essd.unit) == (20, 2048, "GiB")
    assert values(available(ecs, "DataDisk", data_disk_category="cloud_ssd")[0]) == ["cloud_ssd"]
    assert available(ecs, "InstanceType", network_category="Classic") == []
    assert len(available(ecs, "InstanceType", network_category="Vpc")) == len(zones(REGION))
    assert available(ecs, "SystemDisk", system_disk_category="ephemeral_ssd") == []
    assert available(ecs, "InstanceType", cores=3) == []
    with refused("InvalidZoneId.NotFound", 404):
        available(ecs, "InstanceType", zone_id="cn-hangzhou-z")
    with refused("InvalidInstanceType.ValueNotSupported"):
        available(ecs, "SystemDisk", instance_type="ecs.x1.huge")
    with refused("InvalidDiskCategory.ValueNotSupported"):
        available(ecs, "DataDisk", data_disk_category="floppy")
    with refused("InvalidDestinationResource"):
        available(ecs, "Everything")


def found_images(ecs: Ecs, **wanted: Any) -> list[str]:
    body = ecs.describe_images(m.DescribeImagesRequest(**(R | {"page_size": 100} | wanted))).body
    return [one.image_id for one in body.images.image]


def test_images_have_ids_of_the_real_form(ecs: Ecs) -> None:
    listed = found_images(ecs)
    assert sorted(listed) == sorted(images())
    assert all(re.fullmatch(r"[a-z]+_[0-9_]+_x64_20G_alibase_20[0-9]{6}\.vhd", one) for one in listed)
    for system in ("aliyun_3", "ubuntu_22_04", "ubuntu_24_04", "debian_12"):
        assert any(one.startswith(system) for one in listed)
    assert "ubuntu_24_04_x64_20G_alibase_20250317.vhd" in listed


def test_images_are_found_by_what_they_are(ecs: Ecs, refused: Refused) -> None:
    newest = "ubuntu_24_04_x64_20G_alibase_20250630.vhd"
    one = ecs.describe_images(m.DescribeImagesRequest(**R, image_id=newest)).body.images.image[0]
    assert (one.ostype, one.platform, one.architecture, one.size) == ("linux", "Ubuntu", "x86_64", 20)
    assert (one.osname, one.osname_en) == ("Ubuntu  24.04 64位", "Ubuntu  24.04 64 bit")
    assert (one.status, one.image_owner_alias, one.is_support_cloudinit) == ("Available", "system", True)
    assert one.creation_time == "2025-06-30T00:00:00Z"
    assert found_images(ecs, image_name="debian_12*") == found_images(ecs, image_family="acs:debian_12_x64")
    assert found_images(ecs, image_id="none.vhd") == []
    assert found_images(ecs, image_owner_alias="self") == []
    assert found_images(ecs, ostype="windows") == []
    assert found_images(ecs, status="Creating") == []
    assert len(found_images(ecs, page_size=2)) == 2
    with refused("InvalidInstanceType.ValueNotSupported"):
        found_images(ecs, instance_type="ecs.x1.huge")
    family = m.DescribeImageFromFamilyRequest(**R, image_family="acs:ubuntu_24_04_x64")
    assert ecs.describe_image_from_family(family).body.image.image_id == newest
    with refused("InvalidImageFamily.NotFound", 404):
        ecs.describe_image_from_family(m.DescribeImageFromFamilyRequest(**R, image_family="acs:dos_6"))


def test_an_image_says_which_types_it_runs_on(ecs: Ecs, refused: Refused) -> None:
    def supported(image: str | None) -> list[Any]:
        request = m.DescribeImageSupportInstanceTypesRequest(**R, image_id=image)
        found: list[Any] = ecs.describe_image_support_instance_types(
            request
        ).body.instance_types.instance_type
        return found

    assert len(supported(next(iter(images())))) == len(instance_types())
    with refused("InvalidImageId.NotFound", 404):
        supported("none.vhd")
    with refused("MissingImageId"):
        supported(None)


def price(ecs: Ecs, **wanted: Any) -> float:
    body = ecs.describe_price(m.DescribePriceRequest(**R, **wanted)).body
    trade: float = body.price_info.price.trade_price
    details = body.price_info.price.detail_infos.detail_info
    assert trade == pytest.approx(sum(one.trade_price for one in details))
    assert body.price_info.price.currency == "CNY"
    return trade


def test_more_costs_more(ecs: Ecs, refused: Refused) -> None:
    small = price(ecs, instance_type="ecs.c7.large")
    assert small > 0
    assert price(ecs, instance_type="ecs.c7.xlarge") == pytest.approx(2 * small, rel=0.01)
    assert price(ecs, instance_type="ecs.c7.large", amount=3) == pytest.approx(3 * small, rel=0.01)
    assert price(ecs, instance_type="ecs.g7.large") > small > price(ecs, instance_type="ecs.t6-c1m2.large")
    assert price(ecs, instance_type="ecs.gn7i-c8g1.2xlarge") > price(ecs, instance_type="ecs.c7.2xlarge")
    month = price(ecs, instance_type="ecs.c7.large", price_unit="Month", period=1)
    assert 24 * 20 * small > month > 100 * small
    disk = m.DescribePriceRequestSystemDisk(category="cloud_essd", size=40, performance_level="PL1")
    assert price(ecs, instance_type="ecs.c7.large", system_disk=disk) > small
    line = {"internet_charge_type": "PayByBandwidth", "internet_max_bandwidth_out": 5}
    assert price(ecs, instance_type="ecs.c7.large", **line) > small
    data = [m.DescribePriceRequestDataDisk(category="cloud_efficiency", size=100)]
    assert price(ecs, resource_type="disk", data_disk=data) > 0
    with refused("MissingParameter"):
        price(ecs)
    with refused("MissingParameter"):
        price(ecs, resource_type="disk")
    with refused("InvalidInstanceType.ValueNotSupported"):
        price(ecs, instance_type="ecs.x1.huge")
    with refused("InvalidImageId.NotFound", 404):
        price(ecs, instance_type="ecs.c7.large", image_id="none.vhd")
    old = m.DescribePriceRequestSystemDisk(category="cloud", size=40)
    with refused("InvalidDiskCategory.ValueNotSupported"):
        price(ecs, instance_type="ecs.c7.large", system_disk=old)
    with refused("InvalidResourceType"):
        price(ecs, resource_type="ddh")
