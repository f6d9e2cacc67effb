"""The service that the actions of this package belong to."""

from emulator.api.dispatch import Service

ECS = Service("ecs", "2014-05-26")
