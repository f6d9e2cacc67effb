"""The programs that are measured beside the gateway's own."""

EMPTY = "import pulumi\n"
"""The engine's floor: a program that registers nothing."""

ONE = """
import pulumi_docker as docker

docker.Container(
    "one",
    image="berth/bench:absent",
    healthcheck={"tests": ["CMD", "probe", "http://127.0.0.1/health"]},
    cpus="0.1",
    memory=16,
    memory_swap=16,
    restart="unless-stopped",
    log_driver="json-file",
    log_opts={"max-size": "1m", "max-file": "1"},
)
"""
"""One container, as the policies want it."""

MANY = """
import os

import pulumi_docker as docker

for index in range(int(os.environ["BENCH_CONTAINERS"])):
    docker.Container(
        f"many-{index}",
        name=f"{os.environ['BENCH_PREFIX']}-{index}",
        image=os.environ["BENCH_IMAGE"],
        command=["sleep", "infinity"],
        envs=[f"INDEX={index}", "LEVEL=info"],
        labels=[docker.ContainerLabelArgs(label="berth.bench", value=str(index))],
        memory=16,
        memory_swap=16,
        cpus="0.1",
        restart="no",
        stop_timeout=0,
        log_driver="json-file",
        log_opts={"max-size": "1m", "max-file": "1"},
        network_mode="none",
    )
"""
"""So many plain containers (BENCH_CONTAINERS), named BENCH_PREFIX-N, from BENCH_IMAGE."""

VOLUMES = """
import os

import pulumi_docker as docker

for index in range(int(os.environ["BENCH_MANY"])):
    docker.Volume(
        f"many-{index}",
        name=f"many-{index}",
        driver="local",
        labels=[docker.VolumeLabelArgs(label="berth.bench", value=str(index))],
    )
"""
"""So many volumes (BENCH_MANY): the least that the docker plugin does for a resource."""

RULES = """
import os

import pulumi
from pulumi_alicloud import Provider, ProviderEndpointArgs
from pulumi_alicloud.ecs.security_group_rule import SecurityGroupRule

place = os.environ["BENCH_CLOUD"]
provider = Provider(
    "cloud",
    region="cn-hangzhou",
    protocol="HTTP",
    endpoints=[ProviderEndpointArgs(ecs=place, vpc=place)],
)
for index in range(int(os.environ["BENCH_MANY"])):
    SecurityGroupRule(
        f"many-{index}",
        security_group_id="sg-1",
        type="ingress",
        ip_protocol="tcp",
        port_range=f"{index + 1}/{index + 1}",
        cidr_ip="10.0.0.0/8",
        opts=pulumi.ResourceOptions(provider=provider),
    )
"""
"""So many rules (BENCH_MANY) of a group, in the cloud at BENCH_CLOUD."""
