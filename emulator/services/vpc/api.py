"""The VPC service, 2016-04-28: all its actions. https://help.aliyun.com/zh/vpc/developer-reference/"""

from emulator.services.vpc import eips_api, route_tables_api, tags_api, vpcs_api, vswitches_api
from emulator.services.vpc.service import VPC

__all__ = ["VPC", "eips_api", "route_tables_api", "tags_api", "vpcs_api", "vswitches_api"]
