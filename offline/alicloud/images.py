"""The function that finds images."""

from __future__ import annotations

import re
from typing import Any, Final

from offline.alicloud.api import Answer
from offline.alicloud.field import Property, one_of, tags_read, tags_sent
from offline.alicloud.lookup import Arguments, Found, Lookup, listed
from offline.alicloud.work import Work
from offline.provider.resource import ResourceError

_PLAIN: Final = Property()
_IMAGE: Final = {
    "id": "ImageId",
    "imageId": "ImageId",
    "architecture": "Architecture",
    "creationTime": "CreationTime",
    "description": "Description",
    "imageOwnerAlias": "ImageOwnerAlias",
    "imageVersion": "ImageVersion",
    "isCopied": "IsCopied",
    "isSelfShared": "IsSelfShared",
    "isSubscribed": "IsSubscribed",
    "isSupportIoOptimized": "IsSupportIoOptimized",
    "name": "ImageName",
    "osName": "OSName",
    "osNameEn": "OSNameEn",
    "osType": "OSType",
    "platform": "Platform",
    "productCode": "ProductCode",
    "progress": "Progress",
    "size": "Size",
    "state": "Status",
    "status": "Status",
    "usage": "Usage",
}
_IMAGE_PAGE: Final = 100


def _images(work: Work, given: Arguments) -> Found:
    arguments = get_images.arguments
    asked: dict[str, Any] = {
        one.create: given[name] for name, one in arguments.items() if one.create and name in given
    }
    if given.get("tags"):
        asked["Tag"] = tags_sent(given["tags"])
    if not any(given.get(name) for name in ("nameRegex", "owners", "imageOwnerId")):
        raise ResourceError("getImages: one of nameRegex, owners, imageOwnerId is required")
    found: list[Answer] = []
    page = 1
    while True:
        answer = work("DescribeImages", {**asked, "PageNumber": page, "PageSize": _IMAGE_PAGE})
        part = listed(answer, "Images.Image")
        found += part
        if len(part) < _IMAGE_PAGE:
            break
        page += 1
    if pattern := given.get("nameRegex"):
        wanted = re.compile(pattern)
        found = [one for one in found if one.get("ImageName") and wanted.search(one["ImageName"])]
    if given.get("mostRecent") and len(found) > 1:
        found = [max(found, key=lambda one: str(one["CreationTime"]))]
    images = [
        {name: one.get(field) for name, field in _IMAGE.items()}
        | {
            "tags": tags_read(listed(one, "Tags.Tag")),
            "diskDeviceMappings": [
                {
                    "device": disk.get("Device"),
                    "size": str(disk.get("Size") or ""),
                    "snapshotId": disk.get("SnapshotId"),
                }
                for disk in listed(one, "DiskDeviceMappings.DiskDeviceMapping")
            ],
        }
        for one in found
    ]
    return [str(one["id"]) for one in images], {"images": images}


def is_pattern(value: str) -> str | None:
    """What is wrong with a regular expression."""
    try:
        re.compile(value)
    except re.error as error:
        return f"is no regular expression: {error}"
    return None


get_images: Final = Lookup(
    "alicloud:ecs/getImages:getImages",
    "ecs",
    {
        "actionType": Property(create="ActionType", valid=one_of("CreateEcs", "CreateOS")),
        "architecture": Property(create="Architecture", valid=one_of("i386", "x86_64", "arm64")),
        "dryRun": Property(refused="a dry run answers nothing; leave it out"),
        "imageFamily": Property(create="ImageFamily"),
        "imageId": Property(create="ImageId"),
        "imageName": Property(create="ImageName"),
        "imageOwnerId": Property(create="ImageOwnerId"),
        "instanceType": Property(create="InstanceType"),
        "isSupportCloudInit": Property(create="IsSupportCloudinit"),
        "isSupportIoOptimized": Property(create="IsSupportIoOptimized"),
        "mostRecent": _PLAIN,
        "nameRegex": Property(valid=is_pattern),
        "osType": Property(create="OSType", valid=one_of("windows", "linux")),
        "outputFile": _PLAIN,
        "owners": Property(
            create="ImageOwnerAlias", valid=one_of("system", "self", "others", "marketplace", "")
        ),
        "resourceGroupId": Property(create="ResourceGroupId"),
        "snapshotId": Property(create="SnapshotId"),
        "status": Property(
            create="Status",
            default="Available",
            valid=one_of("Available", "Creating", "Waiting", "UnAvailable", "CreateFailed", "Deprecated"),
        ),
        "tags": _PLAIN,
        "usage": Property(create="Usage", valid=one_of("instance", "none")),
    },
    _images,
    "images",
)
