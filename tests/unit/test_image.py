"""Images: where each comes from, and tags that follow what is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.containers.image import BuildArg, BuiltImage, EngineImage, Image, ImageSpec, RegistryImage
from stacks.content import base_image, content_key
from stacks.image_settings import FromContext, FromRegistry, FromWorkloads, ImagesSettings
from stacks.images import image_spec
from tests.unit.program import register

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one workload."""
    for name in ("base", "app"):
        folder = tmp_path / "workloads" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    return tmp_path


def children(spec: ImageSpec) -> list[dict[str, Any]]:
    return [item.inputs for item in register(lambda: Image("app-image", spec)) if item.inputs]


def test_each_source_makes_its_own_resource() -> None:
    assert children(EngineImage(kind="engine", name="app:1")) == []
    (pulled,) = children(RegistryImage(reference=f"mysql:8.0@{DIGEST}", mirror="mirror.example/hub/"))
    assert pulled == {"name": f"mirror.example/hub/mysql:8.0@{DIGEST}", "keepLocally": True}
    args = (BuildArg(name="BASE", value="debian:12"),)
    (built,) = children(BuiltImage(kind="build", name="app:1", context="apps/app", target="run", args=args))
    assert built["imageName"] == "app:1" and built["skipPush"] and not built["buildOnPreview"]
    assert built["build"] == {
        "context": "apps/app",
        "dockerfile": "apps/app/Dockerfile",
        "target": "run",
        "args": {"BASE": "debian:12"},
        "builderVersion": "BuilderV1",
    }


def test_another_tag_of_the_same_image_replaces_no_container() -> None:
    """What depends on an image that goes before the next one comes is replaced with it, whatever it is."""
    spec = RegistryImage(reference="app:1")
    (pulled,) = [item for item in register(lambda: Image("app-image", spec)) if item.inputs]
    assert pulled.options["delete_before_replace"] is False


@pytest.mark.parametrize(
    "reference", ["mysql", "mysql:latest", "host:5000/mysql", "my sql:1", "mysql@sha256:12", ""]
)
def test_an_image_that_is_not_pinned_is_refused(reference: str) -> None:
    with pytest.raises(ValidationError):
        RegistryImage(reference=reference)


def test_a_service_may_differ_from_the_stack(project: Path) -> None:
    local, registry = ImagesSettings(source="local"), ImagesSettings(tag="2.0")
    built = image_spec("app", None, local, project=project)
    assert isinstance(built, BuiltImage) and built.context == "workloads/app"
    assert [arg.name for arg in built.args] == ["BASE"] and built.args[0].value == base_image(
        project / "workloads"
    )
    assert image_spec("app", None, registry, project=project) == RegistryImage(reference="app:2.0")
    assert image_spec("app", FromWorkloads(source="local"), registry, project=project) == built
    choice = FromRegistry(source="registry", reference="other:3")
    assert image_spec("app", choice, local, project=project) == RegistryImage(reference="other:3")
    context = FromContext(source="build", context="workloads/app", target="run", args={"A": "1"})
    own = image_spec("app", context, registry, project=project)
    assert isinstance(own, BuiltImage) and own.target == "run" and own.name != built.name


def test_build_mirrors_reach_every_build(project: Path) -> None:
    images = ImagesSettings.model_validate(
        {"source": "local", "build": {"apt": "https://mirrors.example/debian/"}}
    )
    spec = image_spec("app", None, images, project=project)
    assert isinstance(spec, BuiltImage)
    assert BuildArg(name="APT_MIRROR", value="https://mirrors.example/debian") in spec.args


def test_a_reference_image_may_stand_on_another_base(project: Path) -> None:
    (project / "workloads" / "taifish").mkdir()
    (project / "workloads" / "taifish" / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")

    def based(role: str, **images: object) -> tuple[str, str]:
        spec = image_spec(
            role, None, ImagesSettings.model_validate({"source": "local", **images}), project=project
        )
        assert isinstance(spec, BuiltImage)
        return spec.args[0].value, spec.name

    ubuntu = {"taifish": "ubuntu:22.04"}
    assert based("taifish", bases=ubuntu)[0] == "ubuntu:22.04"
    assert based("taifish", bases=ubuntu, mirror="hub.example/x")[0] == "hub.example/x/ubuntu:22.04"
    assert based("app", bases=ubuntu) == based("app")
    assert based("taifish")[0] == base_image(project / "workloads")
    assert len({based("taifish")[1], based("taifish", bases=ubuntu)[1]}) == 2


def test_the_tag_follows_the_content(project: Path) -> None:
    folder = project / "workloads" / "app"
    seen = [content_key(folder)]

    def differs(**args: str) -> None:
        seen.append(content_key(folder, args))
        assert len(set(seen)) == len(seen)

    differs(BASE="a")
    differs(BASE="b")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    differs()
    (folder / "Dockerfile").chmod(0o755)
    differs()
    (folder / "Dockerfile").rename(folder / "Containerfile")
    differs()
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("compiled")
    assert content_key(folder) == seen[-1]


def test_what_was_built_beside_it_is_content_unless_the_builder_does_not_see_it(project: Path) -> None:
    """`COPY dist` of a context of one's own: a new dist is a new image."""
    folder = project / "workloads" / "app"
    built = folder / "dist" / "app.js"
    built.parent.mkdir()

    def follows() -> bool:
        built.write_text("1")
        first = content_key(folder)
        built.write_text("2")
        return content_key(folder) != first

    assert follows()
    ignore = folder / ".dockerignore"
    for lines in ("dist", "# ours\ndist/\n", "/dist", "**/dist"):
        ignore.write_text(lines)
        assert not follows(), lines
    for lines in ("dist/*.map", "dist\n!dist/app.js", "# dist"):
        ignore.write_text(lines)
        assert follows(), lines
    ignore.write_text("dist")
    (folder / "Dockerfile.dockerignore").write_text("docs")
    assert follows(), "a Dockerfile's own list goes before"
    built.parent.rename(folder / "lib")
    built = folder / "lib" / "dist" / "app.js"
    built.parent.mkdir()
    assert follows(), "not the one at the top"


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), st.binary(max_size=4), max_size=3))
def test_equal_content_has_equal_keys_wherever_it_lies(
    tmp_path_factory: Any, files: dict[str, bytes]
) -> None:
    keys = set()
    for order in (files, dict(reversed(files.items()))):
        folder = tmp_path_factory.mktemp("context")
        for name, data in order.items():
            (folder / name).write_bytes(data)
        keys.add(content_key(folder))
    assert len(keys) == 1


def test_a_missing_context_names_its_folder(project: Path) -> None:
    with pytest.raises(FileNotFoundError, match="workloads/gone"):
        image_spec("gone", None, ImagesSettings(source="local"), project=project)
