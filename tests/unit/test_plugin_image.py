"""Images without a Docker engine: names, ignore files, digests, what counts as a change, failure texts."""

from __future__ import annotations

import io
import os
import random
import tarfile
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.docker import image_name
from offline.docker.image import Image
from offline.docker.image_build import STEP_LENGTH, Build, _failure, _line, _Output
from offline.docker.image_context import BuildContext
from offline.docker.image_ignore import Matcher, parse
from offline.docker.image_stream import EngineError, explain
from offline.docker.registry import Registries
from offline.docker.remote_image_build import check_build
from offline.provider.resource import UNKNOWN, Context, ResourceError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a context `app` of a few files."""
    monkeypatch.chdir(tmp_path)
    for path, text in {
        "app/Dockerfile": "FROM base\nCOPY . /srv\n",
        "app/main.py": "print(1)\n",
        "app/lib/util.py": "x = 1\n",
        "app/lib/data.txt": "data\n",
        "app/docs/a.md": "a\n",
        "app/docs/keep.md": "keep\n",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o644)
    return tmp_path


@pytest.fixture
def ctx() -> Context:
    return Context(
        engine=SimpleNamespace(config={}),
        urn="urn",
        log=lambda _: None,
        warn=lambda _: None,
        cancelled=threading.Event(),
    )


def digest(dockerfile: str = "app/Dockerfile") -> str:
    return BuildContext("app", dockerfile).digest()


# --- the digest


def test_digest_equals_the_official_plugins(project: Path) -> None:
    """The value comes from pulumi-docker 5.1.0's algorithm in Go, with its own libraries, over this tree."""
    (project / "app/.dockerignore").write_text("# docs\ndocs\n!docs/keep.md\n**/*.txt\n")
    (project / "app/.dockerignore").chmod(0o644)
    (project / "app/run.sh").write_text("#!/bin/sh\n")
    (project / "app/run.sh").chmod(0o4755)
    (project / "app/link").symlink_to("lib/util.py")
    (project / "app/up").symlink_to("../app/docs")
    assert digest() == "5a89d19f6052b246afdc9c2fd43a97705164c2a8d6a500fd24d1e5b803b8d5c2"


def test_digest_sees_content_name_mode_and_link_target(project: Path) -> None:
    seen = {digest()}
    (project / "app/main.py").write_text("print(2)\n")
    seen.add(digest())
    (project / "app/main.py").rename(project / "app/start.py")
    seen.add(digest())
    (project / "app/start.py").chmod(0o755)
    seen.add(digest())
    (project / "app/link").symlink_to("lib")
    seen.add(digest())
    (project / "app/link").unlink()
    (project / "app/link").symlink_to("docs")
    seen.add(digest())
    assert len(seen) == 6


def test_digest_ignores_times_and_the_order_of_creation(project: Path) -> None:
    before = digest()
    for path in sorted((project / "app").rglob("*"), key=lambda _: random.random()):
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
            path.chmod(0o644)
            os.utime(path, (1, 1))
    assert digest() == before


def test_ignored_files_do_not_count(project: Path) -> None:
    (project / "app/.dockerignore").write_text("docs\n!docs/keep.md\n")
    before = digest()
    (project / "app/docs/a.md").write_text("changed")
    (project / "app/docs/new.md").write_text("new")
    assert digest() == before
    (project / "app/docs/keep.md").write_text("changed")
    assert digest() != before


def test_ignore_file_beside_the_dockerfile_goes_first(project: Path) -> None:
    (project / "app/.dockerignore").write_text("lib\n")
    (project / "app/Dockerfile.dockerignore").write_text("docs\n")
    paths = {path for path, _ in BuildContext("app", "app/Dockerfile").files()}
    assert "lib/util.py" in paths and "docs" not in paths


def test_dockerfile_outside_counts_by_content(project: Path) -> None:
    (project / "one.Dockerfile").write_text("FROM a\n")
    (project / "two.Dockerfile").write_text("FROM a\n")
    assert digest("one.Dockerfile") == digest("two.Dockerfile") != digest()


def test_dangling_link_is_named(project: Path) -> None:
    (project / "app/broken").symlink_to("nowhere")
    with pytest.raises(ResourceError, match=r"nowhere.*No such file"):
        digest()


# --- .dockerignore


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        (["*.md"], "a.md", True),
        (["*.md"], "docs/a.md", False),
        (["**/*.md"], "docs/x/a.md", True),
        (["**/node_modules"], "a/b/node_modules/x/y", True),
        (["docs"], "docs/x/a.md", True),
        (["docs/*"], "docs/x/a.md", True),
        (["docs", "!docs/keep.md"], "docs/keep.md", False),
        (["!docs/keep.md", "docs"], "docs/keep.md", True),
        (["*", "!src"], "src/deep/a", False),
        (["*", "!src", "src/*.log"], "src/a.log", True),
        (["a?c"], "abc", True),
        (["[a-c].txt"], "d.txt", False),
        (["foo/**"], "foo", False),
        (["a**b"], "a/x/b", True),
    ],
)
def test_patterns(patterns: list[str], path: str, ignored: bool) -> None:
    assert Matcher(patterns).ignores(path) is ignored


def test_ignore_file_syntax() -> None:
    text = "\ufeff# no\n\n  /top \n!  /back\n./x/../y\n \nz/\n"
    assert parse(text) == ["top", "!back", "y", "z"]


def test_malformed_pattern_is_named() -> None:
    with pytest.raises(ResourceError, match=r"\[a-"):
        Matcher(["[a-"])


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(st.lists(st.sampled_from(["*", "a", "a/b", "**/b", "b/*", "c/**"]), max_size=5), PATHS)
def test_a_path_is_ignored_when_it_or_a_parent_matches(patterns: list[str], path: str) -> None:
    matcher = Matcher(patterns)
    steps = path.split("/")
    parents = ["/".join(steps[:end]) for end in range(1, len(steps) + 1)]
    assert matcher.ignores(path) is any(p.matches(parent) for p in matcher.patterns for parent in parents)


@given(st.lists(st.sampled_from(["*", "!a", "a/b", "**/b", "!**/c"]), max_size=5), PATHS)
def test_the_last_word_is_the_last_patterns(patterns: list[str], path: str) -> None:
    assert Matcher([*patterns, f"!{path}"]).ignores(path) is False
    assert Matcher([*patterns, path]).ignores(path) is True


# --- the tar stream


def read_tar(context: BuildContext) -> tuple[str, dict[str, tarfile.TarInfo], tarfile.TarFile]:
    name, stream = context.tar()
    archive = tarfile.open(fileobj=io.BytesIO(b"".join(stream)))  # noqa: SIM115
    return name, {member.name: member for member in archive}, archive


def test_stream_carries_files_as_root(project: Path) -> None:
    (project / "app/link").symlink_to("lib/util.py")
    os.link(project / "app/main.py", project / "app/twin.py")
    name, members, archive = read_tar(BuildContext("app", "app/Dockerfile"))
    assert name == "Dockerfile"
    assert {m.uid for m in members.values()} == {0} and {m.uname for m in members.values()} == {""}
    assert members["link"].linkname == "lib/util.py"
    assert members["twin.py"].islnk() and members["twin.py"].linkname == "main.py"
    file = archive.extractfile("lib/data.txt")
    assert file is not None and file.read() == b"data\n"


def test_stream_brings_the_dockerfile_though_it_is_ignored(project: Path) -> None:
    (project / "app/.dockerignore").write_text("*\n!main.py\n")
    _, members, _ = read_tar(BuildContext("app", "app/Dockerfile"))
    assert set(members) == {"main.py", "Dockerfile", ".dockerignore"}


def test_stream_hides_a_dockerfile_from_outside(project: Path) -> None:
    (project / "other.Dockerfile").write_text("FROM a\n")
    context = BuildContext("app", "other.Dockerfile")
    name, members, archive = read_tar(context)
    assert context.relative_dockerfile == "../other.Dockerfile"
    ignore = archive.extractfile(".dockerignore")
    assert name in members and ignore is not None and name in ignore.read().decode()
    assert context.tar()[0] == name


def test_stream_does_not_hold_files_in_memory(project: Path) -> None:
    with (project / "app/big").open("wb") as big:
        big.truncate(64 << 20)
    _, stream = BuildContext("app", "app/Dockerfile").tar()
    assert max(len(chunk) for chunk in stream) <= 1 << 20


# --- check and diff


def checked(ctx: Context, **inputs: object) -> dict:
    news, failures = Image().check(ctx, {}, {"imageName": "a/b:1", "skipPush": True, **inputs})
    assert failures == []
    return news


def refused(ctx: Context, **inputs: object) -> dict[str, str]:
    _, failures = Image().check(ctx, {}, {"imageName": "a/b:1", "skipPush": True, **inputs})
    return {failure.property: failure.reason for failure in failures}


def test_check_fills_in_what_the_official_plugin_does(project: Path, ctx: Context) -> None:
    inputs = checked(ctx, build={"context": "app"})
    assert inputs["buildOnPreview"] is False
    assert inputs["build"]["dockerfile"] == "app/Dockerfile"
    assert inputs["build"]["contextDigest"] == digest()
    assert inputs["build"]["platform"].startswith("linux/")
    assert "builderVersion" not in inputs["build"]


def test_check_with_unknowns_neither_hashes_nor_fails(project: Path, ctx: Context) -> None:
    assert "contextDigest" not in checked(ctx, build={"context": UNKNOWN})["build"]
    assert checked(ctx, build=UNKNOWN)["build"] is UNKNOWN
    assert "contextDigest" in checked(ctx, build={"context": "app", "args": {"A": UNKNOWN}})["build"]


def test_buildkit_is_refused_with_the_way_out(project: Path, ctx: Context) -> None:
    reasons = refused(ctx, build={"context": "app", "builderVersion": "BuilderBuildKit"})
    assert "leave builderVersion out" in reasons["build.builderVersion"]


def test_wrong_dockerfile_path_is_corrected(project: Path, ctx: Context) -> None:
    reasons = refused(ctx, build={"context": "app", "dockerfile": "./Dockerfile"})
    assert "try setting `dockerfile` to 'app/Dockerfile'" in reasons["build.dockerfile"]
    assert "not a folder" in refused(ctx, build={"context": "nope"})["build.context"]


def test_a_name_that_is_pushed_says_where(project: Path, ctx: Context) -> None:
    reasons = refused(ctx, skipPush=False, build={"context": "app"})
    assert "docker.io/a/b:1" in reasons["imageName"]
    assert refused(ctx, skipPush=False, imageName="r.example.com/b:1", build={"context": "app"}) == {}


def difference(ctx: Context, old: dict, new: dict) -> list[str]:
    found = Image().diff(ctx, "id", {"__inputs": old}, new)
    assert found.replace == []
    return found.update


def test_every_change_is_an_update(project: Path, ctx: Context) -> None:
    old = checked(ctx, build={"context": "app"})
    assert difference(ctx, old, checked(ctx, build={"context": "app"})) == []
    (project / "app/main.py").write_text("print(3)\n")
    assert difference(ctx, old, checked(ctx, build={"context": "app"})) == ["build"]
    assert difference(ctx, old, {**old, "imageName": "a/c:1"}) == ["imageName"]
    assert difference(ctx, old, {**old, "imageName": UNKNOWN}) == ["imageName"]


def test_a_new_password_pushes_nothing(ctx: Context) -> None:
    old = {"registry": {"server": "r.example.com", "username": "a", "password": "1"}}
    assert difference(ctx, old, {"registry": {**old["registry"], "password": "2", "username": "b"}}) == []
    assert difference(ctx, old, {"registry": {**old["registry"], "server": "s.example.com"}}) == ["registry"]
    assert difference(ctx, old, {}) == ["registry"]


def test_preview_knows_inputs_only(project: Path, ctx: Context) -> None:
    later = Image().preview(ctx, checked(ctx, build={"context": "app"}))
    assert later["imageName"] == "a/b:1" and later["repoDigest"] is UNKNOWN


# --- names, logins, failures


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("redis", "docker.io/library/redis"),
        ("redis:7", "docker.io/library/redis:7"),
        ("a/b:1", "docker.io/a/b:1"),
        ("index.docker.io/a/b", "docker.io/a/b"),
        ("localhost/a", "localhost/a"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1"),
        ("r.example.com/a@sha256:" + "0" * 64, "r.example.com/a@sha256:" + "0" * 64),
    ],
)
def test_names(name: str, full: str) -> None:
    assert str(image_name.parse(name)) == full
    assert image_name.is_canonical(name) is (name == full)


@pytest.mark.parametrize("name", ["", "A", "a//b", "a:", "a b", "a/b:ü", "0" * 64, "-x.example.com/a"])
def test_bad_names(name: str) -> None:
    with pytest.raises(ResourceError, match="not an image name"):
        image_name.parse(name)


def test_digest_of_the_registry_asked_for() -> None:
    digests = ["127.0.0.1:5000/a/b@sha256:" + "1" * 64, "127.0.0.1:5000/a/c@sha256:" + "2" * 64]
    assert image_name.repo_digest("127.0.0.1:5000/a/c:1", digests) == digests[1]
    assert image_name.repo_digest("other:1", digests) == digests[0]
    assert image_name.repo_digest("other:1", []) == ""


def test_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"auths": {"https://file.example.com/v1/": {"auth": "dTpw"}}}')
    registries = Registries(
        {
            "registryAuth": [
                {"address": "https://own.example.com", "username": "me", "password": "pw"},
                {"address": "registry-1.docker.io", "username": "hub", "password": "pw"},
                {"address": "off.example.com", "authDisabled": True},
                {
                    "address": "text.example.com",
                    "configFileContent": '{"auths":{"text.example.com":{"auth":"dDpx"}}}',
                },
                {"address": "missing.example.com", "configFile": str(tmp_path / "config.json")},
                {"address": "broken.example.com", "configFileContent": "{secret"},
            ]
        }
    )
    assert registries.for_image("own.example.com/a")["username"] == "me"
    assert registries.for_image("redis:7") == {
        "username": "hub",
        "password": "pw",
        "serveraddress": "https://index.docker.io/v1/",
    }
    assert registries.for_image("off.example.com/a")["username"] == "username"
    assert registries.for_image("text.example.com/a")["password"] == "q"
    assert registries.for_image("file.example.com/a")["password"] == "p"
    assert registries.for_image("unknown.example.com/a") == {}
    with pytest.raises(ResourceError, match="no credentials for missing"):
        registries.for_image("missing.example.com/a")
    with pytest.raises(ResourceError) as failure:
        registries.for_image("broken.example.com/a")
    assert "secret" not in str(failure.value)


def test_credential_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-fake"
    helper.write_text('#!/bin/sh\ncat >/dev/null\necho \'{"Username": "u", "Secret": "s"}\'\n')
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(
        '{"credHelpers": {"r.example.com": "fake", "s.example.com": "gone"}}'
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert Registries({}).for_image("r.example.com/a")["password"] == "s"
    with pytest.raises(ResourceError, match="credential helper"):
        Registries({}).for_image("s.example.com/a")


@pytest.mark.parametrize(
    ("said", "cause", "fix"),
    [
        ("write /x: no space left on device", "disk is full", "docker system df"),
        ("dial tcp: lookup r: no such host", "cannot be reached", "local images"),
        ("manifest for a not found: manifest unknown", "there is no image", "check name"),
        ("Get https://r/v2/: no basic auth credentials", "wants a login", "docker login r.example.com"),
        ("something else", "something else", None),
    ],
)
def test_failures_have_cause_and_fix(said: str, cause: str, fix: str | None) -> None:
    found = explain(EngineError(said), "r.example.com/a:1")
    assert cause in found.cause
    assert (fix in (found.fix or "")) if fix else found.fix is None


def test_line_of_a_step(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("# x\nARG A\n\nFROM a\nRUN one \\\n  # note\n  two\n\nCOPY . .\n")
    assert [_line(str(file), step) for step in (1, 2, 3, 4)] == [2, 4, 5, 9]


def test_a_build_says_now_and_then_where_it_is_and_nothing_else(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    now = 0.0
    monkeypatch.setattr("offline.docker.image_build.time.monotonic", lambda: now)
    output = _Output(replace(ctx, log=told.append), {})
    for step in range(1, 5):
        now = step * 6.0
        output.see({"stream": f"Step {step}/9 : RUN {'long ' * 100}"})
        output.see({"stream": "output\n"})
    assert [line[:29] for line in told] == ["still building, step 2: RUN l", "still building, step 4: RUN l"]
    assert all(len(line) == len("still building, step 2: ") + STEP_LENGTH for line in told)


def test_a_failed_build_says_why_in_whole_lines(project: Path, ctx: Context) -> None:
    output = _Output(ctx, {"TOKEN": "tell-nobody-this"})
    command = "apt-get update  && " + "apt-get install -y something " * 25
    red = "\x1b[91m{}\x1b[0m".format
    output.see({"stream": f"Step 2/2 : RUN {command}"})
    output.see({"stream": "\n"})
    for text in ("Reading", " lists...\r\n", red("E"), red(":"), red(" Unable to locate tell-no")):
        output.see({"stream": text})
    for text in (red("body-this"), "\n", "see the man", "ual"):
        output.see({"stream": text})
    problem = EngineError(f"The command '/bin/sh -c {command}' returned a non-zero code: 100")
    build = Build(context=BuildContext("app", "app/Dockerfile"), tag="a:1")
    first, step, *tail = _failure(build, output, problem).cause.splitlines()
    assert first.endswith("a:1 failed: a command returned a non-zero code: 100: E: Unable to locate [TOKEN]")
    assert step.startswith("  app/Dockerfile:2, step 2: RUN apt-get update && apt-get") and step.endswith("…")
    assert tail == ["  | Reading lists...", "  | E: Unable to locate [TOKEN]", "  | see the manual"]


def test_remote_image_build_refuses_values_of_buildkit(project: Path) -> None:
    build = {
        "context": "app",
        "provenance": "true",
        "sbom": "false",
        "version": "2",
        "cacheFroms": ["type=local"],
    }
    assert {failure.property for failure in check_build(build)} == {
        "build.provenance",
        "build.version",
        "build.cacheFroms[0]",
    }
    assert check_build({"context": "app"}) == []
