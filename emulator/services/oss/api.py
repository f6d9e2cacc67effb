"""OSS: all its operations. https://help.aliyun.com/zh/oss/developer-reference/list-of-operations-by-function

What is not in `OPERATIONS` is refused by name. RAM's policies and those of buckets are not enforced: who
signs with a valid key may do everything, who does not sign what the ACLs allow. Objects have one version.
"""

from emulator.services.oss import buckets_api, listing, objects_api, settings_api, uploads_api
from emulator.services.oss.call import OPERATIONS

__all__ = ["OPERATIONS", "buckets_api", "listing", "objects_api", "settings_api", "uploads_api"]
