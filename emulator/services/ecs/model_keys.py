"""Key pairs, as they are kept: the public half."""

from __future__ import annotations

from emulator.tags import Tagged


def key_of(region: str, name: str) -> str:
    """The id under which a key pair is kept: names are unlike in a region, not beyond."""
    return f"{region}/{name}"


class KeyPair(Tagged, kind="key-pair"):
    """Its id is `REGION/NAME`."""

    name: str
    key_pair_id: str
    """`ssh-...`; clients know a pair by its name."""
    public_key: str
    """One line, as ~/.ssh/authorized_keys has it, without a comment."""
    fingerprint: str
    resource_group: str
