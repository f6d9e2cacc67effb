"""The options that several verbs have."""

from __future__ import annotations

from typing import Annotated

import typer

StackName = Annotated[str, typer.Option("--stack", "-s", help="Which Pulumi.<stack>.yaml.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; everything else on stderr.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

DEV = "dev"
