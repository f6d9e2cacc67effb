"""What the plugin serves, by token: where each resource and function is written."""

from __future__ import annotations

from typing import Final

RESOURCES: Final = {
    "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy": "auto_snapshot_policy:AutoSnapshotPolicy",
    "alicloud:ecs/command:Command": "command:Command",
    "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment": (
        "disk:EcsAutoSnapshotPolicyAttachment"
    ),
    "alicloud:ecs/ecsDisk:EcsDisk": "disk:EcsDisk",
    "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment": "disk:EcsDiskAttachment",
    "alicloud:ecs/ecsInvocation:EcsInvocation": "command:EcsInvocation",
    "alicloud:ecs/ecsKeyPair:EcsKeyPair": "key_pair:EcsKeyPair",
    "alicloud:ecs/ecsKeyPairAttachment:EcsKeyPairAttachment": "key_pair_attachment:EcsKeyPairAttachment",
    "alicloud:ecs/eip:Eip": "eip:Eip",
    "alicloud:ecs/eipAddress:EipAddress": "eip:EipAddress",
    "alicloud:ecs/eipAssociation:EipAssociation": "eip:EipAssociation",
    "alicloud:ecs/instance:Instance": "instance:Instance",
    "alicloud:ecs/ramRoleAttachment:RamRoleAttachment": "instance_role:RamRoleAttachment",
    "alicloud:ecs/securityGroup:SecurityGroup": "security_group:SecurityGroup",
    "alicloud:ecs/securityGroupRule:SecurityGroupRule": "security_group_rule:SecurityGroupRule",
    "alicloud:oss/bucket:Bucket": "bucket:Bucket",
    "alicloud:oss/bucketAcl:BucketAcl": "bucket_settings:BucketAcl",
    "alicloud:oss/bucketCors:BucketCors": "bucket_settings:BucketCors",
    "alicloud:oss/bucketHttpsConfig:BucketHttpsConfig": "bucket_settings:BucketHttpsConfig",
    "alicloud:oss/bucketLogging:BucketLogging": "bucket_settings:BucketLogging",
    "alicloud:oss/bucketObject:BucketObject": "bucket_object:BucketObject",
    "alicloud:oss/bucketPolicy:BucketPolicy": "bucket_settings:BucketPolicy",
    "alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        "bucket_settings:BucketPublicAccessBlock"
    ),
    "alicloud:oss/bucketReferer:BucketReferer": "bucket_settings:BucketReferer",
    "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption": (
        "bucket_settings:BucketServerSideEncryption"
    ),
    "alicloud:oss/bucketVersioning:BucketVersioning": "bucket_settings:BucketVersioning",
    "alicloud:oss/bucketWebsite:BucketWebsite": "bucket_settings:BucketWebsite",
    "alicloud:ram/policy:Policy": "ram:Policy",
    "alicloud:ram/role:Role": "ram:Role",
    "alicloud:ram/roleAttachment:RoleAttachment": "instance_role:RoleAttachment",
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment": "ram:RolePolicyAttachment",
    "alicloud:vpc/network:Network": "network:Network",
    "alicloud:vpc/routeEntry:RouteEntry": "route_entry:RouteEntry",
    "alicloud:vpc/routeTable:RouteTable": "route_table:RouteTable",
    "alicloud:vpc/routeTableAttachment:RouteTableAttachment": "route_table:RouteTableAttachment",
    "alicloud:vpc/switch:Switch": "switch:Switch",
}
FUNCTIONS: Final = {
    "alicloud:ecs/getImages:getImages": "images:get_images",
    "alicloud:ecs/getInstanceTypes:getInstanceTypes": "functions:get_instance_types",
    "alicloud:ecs/getInstances:getInstances": "instances:get_instances",
    "alicloud:index/getAccount:getAccount": "functions:get_account",
    "alicloud:index/getRegions:getRegions": "functions:get_regions",
    "alicloud:index/getZones:getZones": "functions:get_zones",
}
