"""Policies of automatic snapshots, by the official SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m

from emulator.services.ecs import auto_snapshot_policies as policies
from tests.cloud.conftest import REGION, Refused
from tests.cloud.raw import Raw
from tests.cloud.running import Listener

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

    from emulator.access import AccessKey
    from emulator.cloud import Cloud

R = {"region_id": REGION}
USUAL: dict[str, Any] = {
    "auto_snapshot_policy_name": "nightly",
    "repeat_weekdays": '["1","7"]',
    "time_points": '["23","1"]',
    "retention_days": 7,
}


def create(ecs: Ecs, **changed: Any) -> str:
    request = m.CreateAutoSnapshotPolicyRequest(**R, **(USUAL | changed))
    made: str = ecs.create_auto_snapshot_policy(request).body.auto_snapshot_policy_id
    return made


def described(ecs: Ecs, **wanted: Any) -> list[Any]:
    body = ecs.describe_auto_snapshot_policy_ex(m.DescribeAutoSnapshotPolicyExRequest(**R, **wanted)).body
    found: list[Any] = body.auto_snapshot_policies.auto_snapshot_policy
    return found


def modify(ecs: Ecs, policy: str, **changed: Any) -> None:
    ecs.modify_auto_snapshot_policy_ex(
        m.ModifyAutoSnapshotPolicyExRequest(**R, auto_snapshot_policy_id=policy, **changed)
    )


def apply(ecs: Ecs, policy: str, *disks: str) -> None:
    ecs.apply_auto_snapshot_policy(
        m.ApplyAutoSnapshotPolicyRequest(**R, auto_snapshot_policy_id=policy, disk_ids=json.dumps(disks))
    )


def cancel(ecs: Ecs, *disks: str, **more: Any) -> None:
    ecs.cancel_auto_snapshot_policy(
        m.CancelAutoSnapshotPolicyRequest(**R, disk_ids=json.dumps(disks), **more)
    )


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Disks that are there: d-1 to d-3 in the tests' region."""
    held = ("d-1", "d-2", "d-3")
    monkeypatch.setattr(policies, "_EXISTS", [])
    policies.knows_disks(lambda cloud, region, disk: region == REGION and disk in held)
    return held


def test_a_policy_is_made_described_changed_and_deleted(ecs: Ecs, refused: Refused) -> None:
    made = create(ecs)
    (found,) = described(ecs, auto_snapshot_policy_id=made)
    assert made.startswith("sp-")
    assert (found.auto_snapshot_policy_name, found.status, found.region_id) == ("nightly", "Normal", REGION)
    assert (found.repeat_weekdays, found.time_points, found.retention_days) == ('["1","7"]', '["23","1"]', 7)
    assert (found.enable_cross_region_copy, found.copied_snapshots_retention_days) == (False, -1)
    assert (found.resource_group_id, found.disk_nums) == ("", 0)
    assert found.target_copy_regions is None, "an empty text is no JSON to the official provider"
    assert found.copy_encryption_configuration is None
    modify(ecs, made, auto_snapshot_policy_name="weekly", repeat_weekdays='["3"]')
    (found,) = described(ecs)
    assert (
        found.auto_snapshot_policy_name,
        found.repeat_weekdays,
        found.time_points,
        found.retention_days,
    ) == (
        "weekly",
        '["3"]',
        '["23","1"]',
        7,
    )
    gone = m.DeleteAutoSnapshotPolicyRequest(**R, auto_snapshot_policy_id=made)
    ecs.delete_auto_snapshot_policy(gone)
    assert described(ecs) == []
    with refused("InvalidAutoSnapshotPolicyId.NotFound", 404):
        ecs.delete_auto_snapshot_policy(gone)
    with refused("InvalidAutoSnapshotPolicyId.NotFound", 404):
        modify(ecs, made, retention_days=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"repeat_weekdays": '["0"]'},
        {"repeat_weekdays": '["8"]'},
        {"repeat_weekdays": "[]"},
        {"repeat_weekdays": '["1","1"]'},
        {"repeat_weekdays": "1"},
        {"repeat_weekdays": '"12"'},
        {"repeat_weekdays": "[[1]]"},
        {"repeat_weekdays": "[1.5]"},
        {"repeat_weekdays": "Monday"},
        {"time_points": '["24"]'},
        {"time_points": '["-1"]'},
        {"retention_days": 0},
        {"retention_days": 65536},
        {"auto_snapshot_policy_name": "https://x"},
        {"enable_cross_region_copy": True},
        {"target_copy_regions": f'["{REGION}"]'},
        {"target_copy_regions": '["mars-1"]'},
        {"target_copy_regions": '["cn-shanghai","cn-beijing"]'},
        {"copied_snapshots_retention_days": 0},
    ],
)
def test_what_a_policy_may_not_say(ecs: Ecs, changed: dict[str, Any], refused: Refused) -> None:
    with refused("ParameterInvalid", 403):
        create(ecs, **changed)
    made = create(ecs)
    with refused("ParameterInvalid", 403):
        modify(ecs, made, **changed)
    (found,) = described(ecs)
    assert (found.repeat_weekdays, found.time_points, found.retention_days) == ('["1","7"]', '["23","1"]', 7)


@pytest.mark.parametrize("name", ["repeat_weekdays", "time_points", "retention_days", "region_id"])
def test_what_a_policy_must_say(ecs: Ecs, name: str, refused: Refused) -> None:
    missing = {
        "repeat_weekdays": "MissingrepeatWeekdays",
        "time_points": "MissingtimePoints",
        "retention_days": "MissingretentionDays",
        "region_id": "MissingRegionId",
    }[name]
    with refused(missing):
        ecs.create_auto_snapshot_policy(m.CreateAutoSnapshotPolicyRequest(**(R | USUAL | {name: None})))


def test_the_region_may_stand_under_its_usual_name(ecs: Ecs, key: AccessKey, server: Listener) -> None:
    given: dict[str, Any] = {
        "repeatWeekdays": '["1"]',
        "timePoints": '["1"]',
        "retentionDays": "1",
        "RegionId": REGION,
    }
    raw = Raw(server.url, key.id, key.secret)
    assert raw.ask("ecs", "CreateAutoSnapshotPolicy", **given).status == 200
    assert raw.ask("ecs", "CreateAutoSnapshotPolicy", **given, regionId=REGION).status == 200
    assert len(described(ecs)) == 2
    answer = raw.ask("ecs", "CreateAutoSnapshotPolicy", **given, regionId="cn-shanghai")
    assert answer.code == "InvalidRegionId"


def test_copies_to_another_region_are_kept_in_mind(ecs: Ecs) -> None:
    encryption = m.CreateAutoSnapshotPolicyRequestCopyEncryptionConfiguration(
        encrypted=True, kmskey_id="key-1"
    )
    made = create(
        ecs,
        enable_cross_region_copy=True,
        target_copy_regions='["cn-shanghai"]',
        copied_snapshots_retention_days=30,
        copy_encryption_configuration=encryption,
    )
    (found,) = described(ecs)
    assert (found.enable_cross_region_copy, found.target_copy_regions) == (True, '["cn-shanghai"]')
    assert found.copied_snapshots_retention_days == 30
    assert found.copy_encryption_configuration.to_map() == {"Encrypted": True, "KMSKeyId": "key-1"}
    modify(ecs, made, enable_cross_region_copy=False, target_copy_regions="[]")
    (found,) = described(ecs)
    assert (found.enable_cross_region_copy, found.target_copy_regions) == (False, None)


def test_policies_are_found_by_what_they_are(ecs: Ecs) -> None:
    tags = [m.CreateAutoSnapshotPolicyRequestTag(key="for", value="db")]
    one, two = (
        create(ecs, resource_group_id="rg-a"),
        create(ecs, auto_snapshot_policy_name="weekly", tag=tags),
    )

    def ids(**wanted: Any) -> list[str]:
        return [found.auto_snapshot_policy_id for found in described(ecs, **wanted)]

    assert ids() == [one, two]
    assert ids(auto_snapshot_policy_id=two) == [two]
    assert ids(auto_snapshot_policy_name="nightly") == [one]
    assert ids(resource_group_id="rg-a") == [one]
    assert ids(tag=[m.DescribeAutoSnapshotPolicyExRequestTag(key="for", value="db")]) == [two]
    assert ids(page_size=1, page_number=2) == [two]


def test_a_disk_has_one_policy(ecs: Ecs, cloud: Cloud, disks: tuple[str, ...], refused: Refused) -> None:
    one, two = create(ecs), create(ecs)
    apply(ecs, one, "d-1", "d-2")
    assert described(ecs, auto_snapshot_policy_id=one)[0].disk_nums == 2
    apply(ecs, two, "d-2", "d-3")
    assert [policies.policy_of(cloud, disk) for disk in disks] == [one, two, two]
    assert [found.disk_nums for found in described(ecs)] == [1, 2]
    cancel(ecs, "d-1", "d-2", auto_snapshot_policy_id=two)
    assert [policies.policy_of(cloud, disk) for disk in disks] == [one, "", two]
    cancel(ecs, "d-1", "d-2")
    assert [policies.policy_of(cloud, disk) for disk in disks] == ["", "", two]
    cancel(ecs, "d-3")
    assert described(ecs, auto_snapshot_policy_id=two)[0].disk_nums == 0
    with refused("InvalidDiskId.NotFound", 404):
        apply(ecs, one, "d-1", "d-none")
    assert policies.policy_of(cloud, "d-1") == "", "all of them or none"
    with refused("InvalidAutoSnapshotPolicyId.NotFound", 404):
        apply(ecs, "sp-none", "d-1")
    with refused("ParameterInvalid", 403):
        apply(ecs, one)


def test_disks_of_a_deleted_policy_have_none(ecs: Ecs, cloud: Cloud, disks: tuple[str, ...]) -> None:
    made = create(ecs)
    apply(ecs, made, *disks)
    ecs.delete_auto_snapshot_policy(m.DeleteAutoSnapshotPolicyRequest(**R, auto_snapshot_policy_id=made))
    assert [policies.policy_of(cloud, disk) for disk in disks] == ["", "", ""]


def test_policies_of_a_region_have_a_quota(
    ecs: Ecs, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "MOST", 1)
    made = create(ecs)
    with refused("QuotaExceed.AutoSnapshotPolicy", 403):
        create(ecs)
    modify(ecs, made, retention_days=1)  # no new one
