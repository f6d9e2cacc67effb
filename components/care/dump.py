"""A nightly dump of a PostgreSQL database: over TLS, verified, kept for some days; a failed one is loud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pulumi
from pydantic import Field

from components.base import Component, Identity
from components.care.clock import Hour, Minute, TimeZone
from components.containers.container import ConfigFile, ConfigFiles, EnvVar, Hardening, Limits, SecretFile
from components.containers.health import CommandProbe, HealthCheck
from components.containers.image import Image
from components.containers.mounts import VolumeMount
from components.containers.service import Dependency, Healthy, Service, ServiceSpec, StopFirst
from components.containers.volume import Volume
from components.spec import Spec
from components.stores.postgres import Postgres
from components.stores.postgres_owner import DATA, PASSWORD
from components.stores.postgres_settings import PostgresSpec
from components.stores.store import AUTHORITY
from components.units import DnsName

_HERE = "/etc/dump"
_STALE = 26 * 60  # minutes after which the newest dump is too old: a day, and two hours for it to be made
_RETRY = 15 * 60  # seconds between a failed dump and the next attempt


class DumpSpec(Spec):
    """When a database is dumped, and for how long the dumps are kept."""

    identity: Identity
    alias: DnsName
    hour: Hour = 2
    minute: Minute = 0
    time_zone: TimeZone = "UTC"
    """Of hour and minute, such as `Asia/Shanghai`."""
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 28
    """Older ones go, but only after a dump that is good."""
    limits: Limits = Limits()


class Dump(Component):
    """A `Service` named `{name}`, from the image of the store.

    backups: where the dumps go, as `{database}-{time in UTC}.dump`, for pg_restore and `./berth restore`.
    It also dumps at once when it starts and the newest dump is a day old: a night that was missed is made
    good. Unhealthy from a failed dump on until a good one, and when the newest one is older than 26 hours.
    """

    kind = "care:Dump"

    def __init__(
        self,
        name: str,
        spec: DumpSpec,
        *,
        of: Postgres,
        backups: Volume,
        image: Image,
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec = spec
        self.service = Service(
            name,
            service_spec(spec, of.database, of.tls.authority),
            image=image,
            network=of.network,
            # A folder that the image has, for a new volume takes its owner from there.
            volumes=[VolumeMount(volume=backups, target=DATA)],
            secrets={PASSWORD: of.password},
            after=[Healthy(of.service), *after],
            opts=self.child(),
        )
        self.register_outputs({"containers": self.service.container_names})


def service_spec(spec: DumpSpec, of: PostgresSpec, authority: str) -> ServiceSpec:
    """The container."""
    texts = {AUTHORITY: authority, "dump.sh": script(spec, of), "health.sh": health(of)}
    return ServiceSpec(
        identity=spec.identity,
        alias=spec.alias,
        entrypoint=("sh",),
        command=(f"{_HERE}/dump.sh",),
        env=(EnvVar(name="TZ", value=spec.time_zone),),
        config=(
            ConfigFiles(target=_HERE, files=tuple(ConfigFile(name=n, text=t) for n, t in texts.items())),
        ),
        secrets=(SecretFile(name=PASSWORD),),
        hardening=Hardening(user="70:70"),
        limits=spec.limits,
        rollout=StopFirst(),
        health=HealthCheck(probe=CommandProbe(kind="command", argv=("sh", f"{_HERE}/health.sh")), retries=1),
    )


UNTIL_NEXT = """\
# until_next HOUR MINUTE HH:MM:SS: the seconds from then to the next HOUR:MINUTE, 1 to 86400.
until_next() {
    at=${3#*:}
    hour=${3%%:*} minute=${at%:*} second=${at#*:}
    # Without the leading zero, which would make 08 an octal number.
    left=$(($1 * 3600 + $2 * 60 - ${hour#0} * 3600 - ${minute#0} * 60 - ${second#0}))
    [ "$left" -gt 0 ] || left=$((left + 86400))
    echo "$left"
}
"""


def script(spec: DumpSpec, of: PostgresSpec) -> str:
    """What the container runs, in any POSIX shell."""
    login = (
        f"host={of.alias} port=5432 user={of.user} dbname={of.database} "
        f"sslmode=verify-full sslrootcert={_HERE}/{AUTHORITY}"
    )
    return f"""\
set -u
umask 077
part={DATA}/.{of.database}.part
say() {{ echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $1"; }}
[ "$TZ" = UTC ] || [ -e "/usr/share/zoneinfo/$TZ" ] \\
    || {{ say "FAILED: the image does not know the time zone $TZ" >&2; exit 1; }}
touch /tmp/started || exit 1

{UNTIL_NEXT}
dump() {{
    rm -f "$part"
    printf '*:*:*:*:%s\\n' "$(sed 's/[\\\\:]/\\\\&/g' /run/secrets/{PASSWORD})" > /tmp/login || return 1
    PGPASSFILE=/tmp/login PGCONNECT_TIMEOUT=30 \\
        pg_dump -d '{login}' -Fc --lock-wait-timeout=10min -f "$part" || return 1
    [ -s "$part" ] || {{ echo 'the dump is empty' >&2; return 1; }}
    pg_restore -f /dev/null "$part" || return 1
    made={of.database}-$(date -u +%Y%m%dT%H%M%SZ).dump
    mv "$part" "{DATA}/$made" && sync || return 1
    find {DATA} -name '{of.database}-*.dump' -mmin +{spec.keep_days * 1440} -exec rm -f {{}} +
    say "$made: $(($(wc -c < "{DATA}/$made"))) bytes"
}}

# Until one is good; what is kept stays meanwhile.
attempt() {{
    until dump; do
        rm -f "$part"
        say 'FAILED: no dump was made (why: above); older ones are kept; again in {_RETRY // 60} minutes' \\
            | tee /tmp/failed >&2
        sleep {_RETRY}
    done
    rm -f /tmp/failed
}}

[ -n "$(find {DATA} -name '{of.database}-*.dump' -mmin -1440)" ] || attempt
while :; do
    # In steps: a clock that is set, or summer time, moves the hour.
    while left=$(until_next {spec.hour} {spec.minute} "$(date +%H:%M:%S)") && [ "$left" -gt 300 ]; do
        sleep 240
    done
    sleep "$left"
    attempt
done
"""


def health(of: PostgresSpec) -> str:
    """Fails after a failed dump, and without a dump (or a start) in the last 26 hours."""
    return f"""\
[ ! -e /tmp/failed ] || {{ cat /tmp/failed; exit 1; }}
[ -n "$(find {DATA} -name '{of.database}-*.dump' -mmin -{_STALE})" ] && exit 0
# None yet: a large first one takes its time.
[ -n "$(find /tmp/started -mmin -{_STALE})" ] || {{ echo 'no dump for 26 hours'; exit 1; }}
"""
