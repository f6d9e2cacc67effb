"""The programs that are measured beside the gateway's own."""

EMPTY = "import pulumi\n"
"""The engine's floor: a program that registers nothing."""

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
