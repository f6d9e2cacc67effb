"""Plugins written in Python, which the engine runs through the language host."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from ops.places import ROOT
from tests.engine.project import COMPONENT, Project

pytestmark = pytest.mark.engine


def policy_pack(folder: Path, body: str) -> Path:
    """A pack with one rule; `body` sees args, report, config and stack."""
    folder.mkdir()
    description = {"runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}, "version": "0.0.1"}
    (folder / "PulumiPolicy.yaml").write_text(json.dumps(description))
    (folder / "__main__.py").write_text(
        "import pulumi\n"
        "from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy\n"
        "print('the pack speaks before it serves', flush=True)\n"
        "config, stack = pulumi.Config('tried'), pulumi.get_stack()\n"
        f"def rule(args, report):\n    {body}\n"
        "PolicyPack('pack', enforcement_level=EnforcementLevel.MANDATORY, policies=[\n"
        "    ResourceValidationPolicy('no-things', 'There must be no things.', rule)])\n"
    )
    return folder


def test_a_policy_pack_stops_preview_and_up(project: Project, tmp_path: Path) -> None:
    project.config("forbidden", "test:index:Thing")
    body = "args.resource_type == config.require('forbidden') and report(f'not in {stack}')"
    pack = policy_pack(tmp_path / "pack", body)
    project.program(COMPONENT)
    for ran in (
        project.preview("--policy-pack", str(pack), check=False),
        project.up("--policy-pack", str(pack), check=False),
        # How a shell made by `./berth env` gets the pack into a plain `pulumi up`.
        project.run("up", "--yes", "--skip-preview", check=False, PULUMI_OPTION_POLICY_PACK=str(pack)),
    ):
        assert ran.code != 0
        assert "not in dev" in ran.text
        assert "the pack speaks before it serves" in ran.text
    assert all(resource["type"] != "test:index:Thing" for resource in project.resources())
    project.config("forbidden", "nothing")
    project.up("--policy-pack", str(pack))
    assert any(resource["type"] == "test:index:Thing" for resource in project.resources())


def test_a_policy_pack_that_does_not_start_is_shown_and_stops(project: Project, tmp_path: Path) -> None:
    pack = policy_pack(tmp_path / "pack", "pass")
    (pack / "__main__.py").write_text("raise RuntimeError('broken pack')\n")
    failed = project.preview("--policy-pack", str(pack), check=False)
    assert failed.code != 0
    assert "broken pack" in failed.text
    assert "ended without serving" in failed.text


def test_a_configuration_too_large_for_a_policy_pack_is_named(project: Project, tmp_path: Path) -> None:
    project.config("large", "x" * 100_000)
    project.config("larger", "x" * 100_000)
    failed = project.preview("--policy-pack", str(policy_pack(tmp_path / "pack", "pass")), check=False)
    assert failed.code != 0
    assert "a policy pack takes at most 127 KiB" in failed.text


def test_dynamic_providers(project: Project) -> None:
    project.program("""
        from pulumi import export
        from pulumi.dynamic import CreateResult, Resource, ResourceProvider

        class Provider(ResourceProvider):
            def create(self, props):
                return CreateResult("made", {"doubled": props["value"] * 2})

        class Doubled(Resource):
            def __init__(self, name, value):
                super().__init__(Provider(), name, {"value": value, "doubled": None})

        export("doubled", Doubled("two", 2).doubled)
    """)
    project.up()
    assert project.outputs() == {"doubled": 4}
    project.destroy()


def users_environment(folder: Path) -> Path:
    """What a user's project has. That of the tests has packages whose plugins the CLI would look for."""
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    sync = ["pip", "sync", "--quiet", "--python", folder / "bin/python", ROOT / "requirements.lock"]
    subprocess.run([uv, *sync], check=True)
    return folder


def test_a_component_plugin_in_python(project: Project, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    options = {"toolchain": "uv", "virtualenv": str(users_environment(tmp_path / "environment"))}
    (plugin / "PulumiPlugin.yaml").write_text(
        json.dumps({"name": "greet", "runtime": {"name": "python", "options": options}})
    )
    (plugin / "__main__.py").write_text(
        "from pulumi.provider.experimental import component_provider_host\n"
        "from greeting import Greeting\n"
        "component_provider_host(name='greet', components=[Greeting])\n"
    )
    (plugin / "greeting.py").write_text(
        "from typing import TypedDict\n"
        "import pulumi\n"
        "class GreetingArgs(TypedDict):\n    who: pulumi.Input[str]\n"
        "class Greeting(pulumi.ComponentResource):\n"
        "    text: pulumi.Output[str]\n"
        "    def __init__(self, name: str, args: GreetingArgs, opts: pulumi.ResourceOptions | None = None):\n"
        "        super().__init__('greet:index:Greeting', name, {}, opts)\n"
        "        self.text = pulumi.Output.concat('hello ', args['who'])\n"
        "        self.register_outputs({'text': self.text})\n"
    )
    shown = project.run("package", "get-schema", str(plugin))
    assert "greet:index:Greeting" in shown.stdout
