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

CLOUD = """
import os

import pulumi
from pulumi_alicloud.ecs.security_group_rule import SecurityGroupRule
from pulumi_alicloud.provider import Provider

address = os.environ["BENCH_ADDRESS"]
provider = Provider(
    "cloud",
    region="cn-hangzhou",
    access_key=os.environ["BENCH_KEY"],
    secret_key=os.environ["BENCH_SECRET"],
    protocol="HTTP",
    skip_region_validation=True,
    endpoints=[dict.fromkeys(("ecs", "vpc", "sts"), address)],
)
for index in range(int(os.environ["BENCH_RULES"])):
    SecurityGroupRule(
        f"rule-{index}",
        type="ingress",
        ip_protocol="tcp",
        port_range=f"{index + 1}/{index + 1}",
        cidr_ip="0.0.0.0/0",
        priority=1,
        security_group_id="sg-bench",
        opts=pulumi.ResourceOptions(provider=provider),
    )
"""
"""So many rules of a group (BENCH_RULES) by an API at BENCH_ADDRESS."""
