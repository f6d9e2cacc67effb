"""Rules of elastic IP addresses.

What may have one is said by the services whose it is: none of them is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Final, Literal

from emulator.api.call import Call
from emulator.api.errors import ApiError, quota
from emulator.cloud import Cloud
from emulator.services.vpc.model import Eip
from emulator.services.vpc.vpcs import DEFAULT_GROUP

MOST: Final = 20
"""Of an account, without a raised quota."""
MOST_BANDWIDTH: Final = {"PayByTraffic": 200, "PayByBandwidth": 500}
"""Mbit/s."""
ROUTERS_OWN: Final = 8
"""The last 1/2**8 of the public network is not given out: the routers have their own addresses there."""
_STEP: Final = 0.5  # seconds in Associating and Unassociating


@dataclass(frozen=True)
class Holder:
    """What an EIP can be given to: where its packets go."""

    vpc: str
    private: IPv4Address


Lookup = Callable[[Call, str], Holder]
"""Finds a holder by its id. Raises ApiError where the call's region has none, or not in a state for it."""

_HOLDERS: Final[dict[str, Lookup]] = {}
_TAKEN: Final[list[Callable[[Cloud], Iterable[IPv4Address]]]] = [
    lambda cloud: (eip.address for eip in cloud.store.all(Eip))
]


def may_hold(kind: str, lookup: Lookup) -> None:
    """From now on an EIP can be associated with things of this `InstanceType`."""
    _HOLDERS[kind] = lookup


def takes_public(taken: Callable[[Cloud], Iterable[IPv4Address]]) -> None:
    """From now on the public addresses that `taken` yields are not given out: somebody else has them."""
    _TAKEN.append(taken)


def find(cloud: Cloud, region: str, eip_id: str) -> Eip:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(Eip, eip_id)
    if found is None or found.region != region:
        raise ApiError(404, "InvalidAllocationId.NotFound", "Specified allocation ID is not found.")
    return found


def of(cloud: Cloud, holder: str) -> Eip | None:
    """The EIP that the holder has."""
    return next((eip for eip in cloud.store.all(Eip) if eip.instance == holder), None)


def draw(cloud: Cloud) -> IPv4Address:
    """A public address that nobody has; not the one that was released a moment ago.

    Raises ApiError where all are taken.
    """
    first = int(cloud.public[2])  # behind the network's own address and the gateway's
    count = cloud.public.num_addresses - (cloud.public.num_addresses >> ROUTERS_OWN) - 2
    taken = {address for take in _TAKEN for address in take(cloud)}
    start = int(cloud.store.fact("public") or 0)
    for step in range(count):
        place = (start + step) % count
        address = IPv4Address(first + place)
        if address not in taken:
            cloud.store.set_fact("public", str(place + 1))
            return address
    raise ApiError(400, "OperationFailed.EipNotEnough", "There are no public IP addresses left.")


def allocate(
    call: Call,
    *,
    bandwidth: int,
    internet_charge: Literal["PayByTraffic", "PayByBandwidth"],
    isp: str,
    name: str,
    description: str,
    resource_group: str,
    tags: dict[str, str],
) -> Eip:
    cloud = call.cloud
    _must_be_allowed(bandwidth, internet_charge)
    if len(cloud.store.all(Eip)) >= MOST:
        raise quota("QuotaExceeded.Eip", "elastic IP addresses", MOST)
    return cloud.store.put(
        Eip(
            id=cloud.new_id("eip-"),
            region=call.region,
            created=call.now,
            address=draw(cloud),
            bandwidth=bandwidth,
            internet_charge=internet_charge,
            isp=isp,
            name=name,
            description=description,
            resource_group=resource_group or DEFAULT_GROUP,
            tags=tags,
            settles=call.now,
        )
    )


def _must_be_allowed(bandwidth: int, internet_charge: str) -> None:
    if not 1 <= bandwidth <= MOST_BANDWIDTH[internet_charge]:
        raise ApiError(
            400, "InvalidBandwidth.ValueNotSupported", "The specified value of Bandwidth is not supported."
        )


def must_be(call: Call, eip: Eip, *allowed: str) -> None:
    """Raises ApiError unless the EIP is in one of these states."""
    if eip.status(call.now) not in allowed:
        raise ApiError(
            400, "IncorrectEipStatus", "Current elastic IP status does not support this operation."
        )


def modify(
    call: Call,
    eip: Eip,
    *,
    bandwidth: int | None,
    name: str | None,
    description: str | None,
) -> Eip:
    """What is None stays as it is."""
    must_be(call, eip, "Available", "InUse")
    if bandwidth is not None:
        _must_be_allowed(bandwidth, eip.internet_charge)
    changes: dict[str, Any] = {"bandwidth": bandwidth, "name": name, "description": description}
    return call.cloud.store.put(
        eip.but(**{key: value for key, value in changes.items() if value is not None})
    )


def associate(
    call: Call, eip: Eip, *, kind: str, holder: str, vpc: str = "", private: IPv4Address | None = None
) -> Eip:
    """Give it to a holder. vpc, private: if given, they must be the holder's."""
    must_be(call, eip, "Available")
    if kind not in _HOLDERS:
        raise ApiError(
            400,
            "InvalidInstanceType.ValueNotSupported",
            "The specified value of InstanceType is not supported.",
        )
    found = _HOLDERS[kind](call, holder)
    if of(call.cloud, holder) is not None:
        raise ApiError(400, "InvalidAssociation.Duplicated", "Specified instance already is associated.")
    if vpc not in ("", found.vpc):
        raise ApiError(404, "InvalidVpcId.NotFound", "Specified VPC is not the one of the instance.")
    if private not in (None, found.private):
        raise _other_private()
    return call.cloud.store.put(
        eip.but(
            instance=holder,
            instance_type=kind,
            private=found.private,
            vpc=found.vpc,
            left="",
            settles=call.cloud.after(_STEP),
        )
    )


def _other_private() -> ApiError:
    return ApiError(
        400, "InvalidPrivateIpAddress.Malformed", "Specified private IP address is not the instance's."
    )


def unassociate(call: Call, eip: Eip, *, holder: str, kind: str, private: IPv4Address | None) -> Eip:
    """Take it from its holder. holder, kind, private: if given, they must be those of who has it."""
    must_be(call, eip, "InUse")
    if holder not in ("", eip.instance) or kind not in ("", eip.instance_type):
        raise ApiError(400, "InvalidInstanceId.NotFound", "Specified instance does not exist.")
    if private not in (None, eip.private):
        raise _other_private()
    return call.cloud.store.put(
        eip.but(instance="", private=None, vpc="", left=eip.instance, settles=call.cloud.after(_STEP))
    )


def let_go(cloud: Cloud, holder: str) -> None:
    """For a holder that is removed: its EIP is free, at once."""
    if (eip := of(cloud, holder)) is not None:
        cloud.store.put(
            eip.but(instance="", instance_type="", private=None, vpc="", left="", settles=cloud.now())
        )


def protect(call: Call, eip: Eip, on: bool) -> Eip:
    return call.cloud.store.put(eip.but(protected=on))


def release(call: Call, eip: Eip) -> None:
    must_be(call, eip, "Available")
    if eip.protected:
        raise ApiError(
            400,
            "InvalidOperation.DeletionProtection",
            "The instance cannnot delete because of deletion protecion.",  # their spelling
        )
    call.cloud.store.remove(eip)
