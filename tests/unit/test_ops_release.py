"""Which commit the images are of, and which of them a stack pulls by a tag."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ops import release, settings
from ops.errors import UserError
from ops.project import StackFile
from stacks.content import base_image
from stacks.images import image_spec

PROJECT = Path(__file__).parents[2]
RELEASED = """config:
  berth:systems: [gateway]
  berth:images: {source: registry, mirror: registry.example/team}
  berth:gateway: {gateway: {image: {source: registry, reference: "other:1"}}}
"""


def git(folder: Path, *args: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", "-C", folder, *identity, *args], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one workload and one stack file."""
    (tmp_path / "workloads" / "app").mkdir(parents=True)
    (tmp_path / "workloads" / "app" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "WORKLOADS", tmp_path / "workloads")
    return tmp_path


def stack_file(folder: Path, text: str, tag: str | None = "1.2.3") -> StackFile:
    (folder / "Pulumi.odd.yaml").write_text(text)
    return StackFile("odd", folder, tag)


def test_the_commit_is_that_of_the_images(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert release.commit() == head
    (checkout / "Pulumi.dev.yaml").write_text("config: {berth:images: {tag: other}}\n")
    assert release.commit() == head  # `up --tag` writes there, and no image is made from it


def test_images_of_no_commit_are_refused_by_name(checkout: Path) -> None:
    (checkout / "workloads" / "app" / "Dockerfile").write_text("FROM other\n")
    (checkout / "workloads" / "app" / "new.py").write_text("")
    with pytest.raises(UserError, match=r"workloads/app/Dockerfile, workloads/app/new\.py") as refused:
        release.commit()
    assert "--tag NAME" in refused.value.fix


def test_a_folder_without_git_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match="not a git repository"):
        release.commit()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git is not installed"):
        release.commit()


@pytest.mark.parametrize("tag", ["1234567", "12e4567", "0" * 40])
def test_a_tag_stays_text_beside_what_the_file_says(tmp_path: Path, tag: str) -> None:
    file = stack_file(tmp_path, RELEASED, tag)
    images = settings.check(file, secrets=False).images
    assert (images.tag, images.mirror) == (tag, "registry.example/team")


def test_a_tag_that_moves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"berth:images\.tag: 'latest'"):
        release.wanted(stack_file(tmp_path, RELEASED, "latest"))


def test_what_has_the_tag_is_built_as_up_builds_it(tmp_path: Path) -> None:
    """The gateway names its own image here, and so is not among them."""
    file = stack_file(tmp_path, RELEASED)
    found = release.wanted(file)
    assert [it.name for it in found] == [
        "registry.example/team/douyin-processor:1.2.3",
        "registry.example/team/file-system-go:1.2.3",
    ]
    local = settings.check(file, secrets=False).images.model_copy(update={"source": "local"})
    for it in found:
        assert it.args["BASE"] == base_image(PROJECT / "workloads")
        spec = image_spec(it.role, None, local, project=PROJECT)
        assert spec.kind == "build" and spec.name == it.local and spec.context == it.context
        assert {arg.name: arg.value for arg in spec.args} == it.args


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ("{source: local}", "has no source: registry"),
        ("{source: registry, mirror: null}", "has no mirror"),
    ],
)
def test_a_stack_without_a_registry_is_refused(tmp_path: Path, images: str, told: str) -> None:
    text = f"config:\n  berth:systems: [gateway]\n  berth:images: {images}\n"
    with pytest.raises(UserError, match=told):
        release.wanted(stack_file(tmp_path, text))


def test_a_stack_whose_services_name_their_images_is_refused(tmp_path: Path) -> None:
    own = '{image: {source: registry, reference: "other:1"}}'
    text = RELEASED.rpartition("  berth:gateway")[0]
    text += f"  berth:gateway: {{mode: gateway, gateway: {own}}}\n"
    with pytest.raises(UserError, match="each service names its own"):
        release.wanted(stack_file(tmp_path, text))
