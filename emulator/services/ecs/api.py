"""The ECS service, 2014-05-26: all its actions. https://help.aliyun.com/zh/ecs/developer-reference/"""

from emulator.services.ecs import (
    assistant_api,
    auto_snapshot_policies_api,
    catalogue_api,
    commands_api,
    disks_api,
    instance_attributes_api,
    instance_power_api,
    instance_types_api,
    instances_api,
    invocation_results_api,
    invocations_api,
    key_pairs_api,
    run_instances_api,
    security_group_rules_api,
    security_groups_api,
    snapshots_api,
    tags_api,
)
from emulator.services.ecs.service import ECS

__all__ = [
    "ECS",
    "assistant_api",
    "auto_snapshot_policies_api",
    "catalogue_api",
    "commands_api",
    "disks_api",
    "instance_attributes_api",
    "instance_power_api",
    "instance_types_api",
    "instances_api",
    "invocation_results_api",
    "invocations_api",
    "key_pairs_api",
    "run_instances_api",
    "security_group_rules_api",
    "security_groups_api",
    "snapshots_api",
    "tags_api",
]
