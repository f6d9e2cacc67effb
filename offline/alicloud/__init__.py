"""A resource plugin for Alibaba Cloud over its official SDKs, after the official pulumi_alicloud schema."""
