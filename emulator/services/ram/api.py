"""RAM: roles, policies, users, keys. https://help.aliyun.com/zh/ram/developer-reference/api-ram-2015-05-01-dir

Policies are kept, listed and counted, but not enforced: every valid key may do everything here. Only who may
assume a role is decided, by the role's trust policy.
"""

from emulator.services.ram import attachments_api, policies_api, roles_api, tags_api, users_api
from emulator.services.ram.service import RAM

__all__ = ["RAM", "attachments_api", "policies_api", "roles_api", "tags_api", "users_api"]
