"""Machines of Alibaba Cloud and who may reach them.

The arithmetic (`firewall`, `capacity`) is free of pulumi. The components import `pulumi_alicloud`, which
takes as long as the rest of a program: only a stack with such a machine imports them.
"""
