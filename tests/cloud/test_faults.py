"""Trouble that a test orders: what clients see of it, and what the cloud is like afterwards."""

from __future__ import annotations

import time

import httpx
import pytest
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator.api.errors import ApiError
from emulator.api.faults import Fault, Faults
from emulator.cloud import Cloud
from emulator.services.vpc.model import Vpc as KeptVpc
from tests.cloud.conftest import REGION, Refused
from tests.cloud.raw import Raw

LIST = m.DescribeVpcsRequest(region_id=REGION)
CREATE = m.CreateVpcRequest(region_id=REGION, client_token="once")


def test_an_error_for_so_many_calls(vpc: Vpc, cloud: Cloud, refused: Refused) -> None:
    cloud.faults.order(Fault(action="DescribeVpcs", code="SystemBusy", status=503, times=2, skip=1))
    vpc.describe_vpcs(LIST)
    for _ in range(2):
        with refused("SystemBusy", 503):
            vpc.describe_vpcs(LIST)
    vpc.describe_vpcs(LIST)
    assert cloud.faults.listed() == []


def test_it_hits_what_it_names(vpc: Vpc, cloud: Cloud, refused: Refused) -> None:
    cloud.faults.order(Fault(action="Describe*", code="InternalError"))
    with refused("InternalError", 500):
        vpc.describe_vpcs(LIST)
    vpc.create_vpc(CREATE)
    ((fault, seen),) = cloud.faults.listed()
    assert (fault.action, seen) == ("Describe*", 1)
    cloud.faults.lift()
    assert vpc.describe_vpcs(LIST).body.total_count == 1


def test_a_refused_change_changes_nothing(vpc: Vpc, cloud: Cloud, refused: Refused) -> None:
    cloud.faults.order(Fault(action="CreateVpc", code="OperationConflict", status=400, times=1))
    with refused("OperationConflict"):
        vpc.create_vpc(CREATE)
    assert cloud.store.all(KeptVpc) == []
    vpc.create_vpc(CREATE)


def test_a_stranger_does_not_learn_of_it(raw: Raw, cloud: Cloud) -> None:
    """Who has no key is told so, and not what was ordered for the others."""
    cloud.faults.order(Fault(code="SystemBusy", status=503))
    raw.secret = "wrong"
    assert raw.ask("vpc", "DescribeVpcs", RegionId=REGION).code == "SignatureDoesNotMatch"


def test_an_answer_that_is_lost(vpc: Vpc, cloud: Cloud) -> None:
    """The VPC is made, the client does not learn of it; with its token it asks again, and there is one."""
    cloud.faults.order(Fault(action="CreateVpc", cut=True, times=1))
    with pytest.raises(Exception) as caught:
        vpc.create_vpc(CREATE)
    assert getattr(caught.value, "code", None) is None, "it was an answer"
    (kept,) = cloud.store.all(KeptVpc)
    assert vpc.create_vpc(CREATE).body.vpc_id == kept.id
    assert len(cloud.store.all(KeptVpc)) == 1


def test_an_answer_that_is_cut_ends_in_its_middle(raw: Raw, cloud: Cloud) -> None:
    cloud.faults.order(Fault(cut=True, times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        raw.ask("vpc", "DescribeVpcs", RegionId=REGION)
    assert raw.ask("vpc", "DescribeVpcs", RegionId=REGION).status == 200


def test_a_delay(vpc: Vpc, cloud: Cloud) -> None:
    cloud.faults.order(Fault(action="DescribeVpcs", delay=0.3, times=1))
    began = time.monotonic()
    vpc.describe_vpcs(LIST)
    assert time.monotonic() - began >= 0.3
    began = time.monotonic()
    vpc.describe_vpcs(LIST)
    assert time.monotonic() - began < 0.3


def test_who_waits_does_not_keep_others_waiting(raw: Raw, cloud: Cloud, vpc: Vpc) -> None:
    import threading

    cloud.faults.order(Fault(action="DescribeVSwitches", delay=1, times=1))
    slow = threading.Thread(target=raw.ask, args=("vpc", "DescribeVSwitches"), kwargs={"RegionId": REGION})
    slow.start()
    began = time.monotonic()
    vpc.describe_vpcs(LIST)
    assert time.monotonic() - began < 0.8
    slow.join()


def test_a_storm_is_throttled(vpc: Vpc, cloud: Cloud) -> None:
    cloud.faults.order(Fault(action="*", per_second=3))
    throttled = 0
    began = time.monotonic()
    for _ in range(12):
        try:
            vpc.describe_vpcs(LIST)
        except AlibabaCloudException as refusal:
            assert refusal.code == "Throttling.User"
            throttled += 1
    if time.monotonic() - began < 1:
        assert throttled == 9
    assert throttled > 0
    time.sleep(1.05)
    vpc.describe_vpcs(LIST)


def test_so_many_a_second_go_through() -> None:
    faults = Faults()
    faults.order(Fault(per_second=2))

    def goes(at: float) -> bool:
        try:
            faults.of("DescribeVpcs").check(at)
        except ApiError as refusal:
            assert refusal.code == "Throttling.User"
            return False
        return True

    assert [goes(at) for at in (0, 0.1, 0.2, 0.9, 1.0, 1.05, 1.1, 1.2)] == [
        True, True, False, False, True, False, True, False,
    ]  # fmt: skip


def test_faults_add_up(vpc: Vpc, cloud: Cloud, refused: Refused) -> None:
    cloud.faults.order(Fault(delay=0.1, times=1))
    cloud.faults.order(Fault(delay=0.1, times=1, code="InternalError"))
    began = time.monotonic()
    with refused("InternalError", 500):
        vpc.describe_vpcs(LIST)
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("wrong", [{"times": 0}, {"delay": -1}, {"status": 200}, {"per_second": 0}, {"x": 1}])
def test_a_fault_that_makes_no_sense(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Fault.model_validate(wrong)
