"""The service that the actions of this package belong to."""

from emulator.api.dispatch import Service

VPC = Service("vpc", "2016-04-28")
