"""Machines of Alibaba Cloud and who may reach them.

The arithmetic (`firewall`, `capacity`) is free of pulumi. The components import `pulumi_alicloud`, which
takes as long as the rest of a program: only a stack with such a machine imports them. They import the
package `pulumi_alicloud.ecs`, never a module in it: the lazy loader would leave the class out of it.
"""
