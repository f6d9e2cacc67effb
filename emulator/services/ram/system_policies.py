"""Policies that Alibaba Cloud itself keeps: a choice of the real ones, under their names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from emulator.services.ram.model import Policy, Version

MADE: Final = datetime(2015, 4, 28, 16, 0, tzinfo=UTC)


def _policy(name: str, description: str, *actions: str) -> Policy:
    document = {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    }
    version = Version(id="v1", region="", created=MADE, document=json.dumps(document, indent=2))
    return Policy(
        id=name,
        region="",
        created=MADE,
        updated=MADE,
        description=description,
        versions=(version,),
        default="v1",
    )


SYSTEM: Final[dict[str, Policy]] = {
    policy.id: policy
    for policy in (
        _policy("AdministratorAccess", "Provides full access to Alibaba Cloud services and resources.", "*"),
        _policy(
            "ReadOnlyAccess",
            "Provides read-only access to Alibaba Cloud services and resources.",
            "*:Describe*", "*:List*", "*:Get*", "*:BatchGet*", "*:Query*",
        ),
        _policy("AliyunRAMFullAccess", "Provides full access to RAM via Management Console.", "ram:*"),
        _policy(
            "AliyunRAMReadOnlyAccess",
            "Provides read-only access to RAM via Management Console.",
            "ram:Get*", "ram:List*",
        ),
        _policy("AliyunSTSAssumeRoleAccess", "Provides access to AssumeRole of STS.", "sts:AssumeRole"),
        _policy("AliyunECSFullAccess", "Provides full access to ECS via Management Console.", "ecs:*"),
        _policy(
            "AliyunECSReadOnlyAccess",
            "Provides read-only access to ECS via Management Console.",
            "ecs:Describe*", "ecs:List*",
        ),
        _policy("AliyunVPCFullAccess", "Provides full access to VPC via Management Console.", "vpc:*"),
        _policy(
            "AliyunVPCReadOnlyAccess",
            "Provides read-only access to VPC via Management Console.",
            "vpc:Describe*", "vpc:List*",
        ),
        _policy("AliyunEIPFullAccess", "Provides full access to EIP via Management Console.", "vpc:*Eip*"),
        _policy("AliyunOSSFullAccess", "Provides full access to OSS via Management Console.", "oss:*"),
        _policy(
            "AliyunOSSReadOnlyAccess",
            "Provides read-only access to OSS via Management Console.",
            "oss:Get*", "oss:List*",
        ),
        _policy("AliyunLogFullAccess", "Provides full access to Log via Management Console.", "log:*"),
        _policy("AliyunKMSFullAccess", "Provides full access to KMS via Management Console.", "kms:*"),
        _policy("AliyunContainerRegistryFullAccess", "Provides full access to ACR.", "cr:*"),
        _policy("AliyunContainerRegistryReadOnlyAccess", "Provides read-only access to ACR.",
                "cr:Get*", "cr:List*", "cr:PullRepository"),
    )
}  # fmt: skip
