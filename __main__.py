"""The Pulumi program: read the stack's settings, make its host and systems, export what the verbs need."""

from pathlib import Path

import pulumi
from pulumi.runtime.config import get_config_env, get_config_secret_keys_env

from stacks.problems import SettingsError
from stacks.reads import follow
from stacks.settings import load
from stacks.stack_file import plain_secrets

try:
    follow(Path(__file__).parent)
    settings = load(
        get_config_env(),
        get_config_secret_keys_env(),
        stack=pulumi.get_stack(),
        hosts=True,
        plain=plain_secrets(Path(__file__).with_name(f"Pulumi.{pulumi.get_stack()}.yaml")),
    )
except SettingsError as error:
    raise pulumi.RunError(str(error)) from None

# Only now: the Docker SDK takes half a second to import, which a wrong stack file need not wait for.
from stacks.build import build

for name, value in build(settings, project=Path(__file__).parent).items():
    pulumi.export(name, value)
