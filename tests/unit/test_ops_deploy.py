"""What is decided about deployments: what is present, what to go back to, what is kept, what is refused."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient
from docker.errors import DockerException

from offline.toolchain import Toolchain
from ops import definitions, hold, places
from ops.course import Course, DeploymentError, Wishes, asked, refusing
from ops.deploy import refuse
from ops.deployment import Deployment, Image
from ops.deployments import KEPT, Deployments, forgotten
from ops.errors import UserError
from ops.going_back import at, crossed
from ops.images_used import inventory
from ops.preview import builds
from ops.project import StackFile
from ops.pulumi import Pulumi
from ops.rollback import choose
from ops.stack import Stack
from tests.ports import free_port


def made(name: str, outcome: str = "deployed", **more: Any) -> Deployment:
    verb = more.pop("verb", "update")
    return Deployment.model_validate(
        {"name": name, "verb": verb, "who": "me@here", "began": "now", "outcome": outcome, **more}
    )


def back(name: str, of: str, **more: Any) -> Deployment:
    return made(name, verb="rollback", of=of, **more)


def kept(folder: Path, *ended: Deployment) -> Deployments:
    folder.mkdir(exist_ok=True)
    found = Deployments(folder)
    found.log.write_text("".join(one.model_dump_json() + "\n" for one in ended))
    return found


class TestWhatIsPresent:
    @pytest.mark.parametrize(
        ("ended", "present"),
        [
            ([], None),
            ([made("a", "failed")], None),
            ([made("a"), made("b")], "b"),
            ([made("a"), made("b", "refused"), made("c", "unchanged")], "a"),
            ([made("a"), made("b"), made("c", "rolled back", rolled_back_to="b")], "b"),
            ([made("a"), made("b"), back("c", "a"), made("d", "rolled back", rolled_back_to="c")], "c"),
            ([made("a"), made("b", "interrupted")], "a"),
        ],
    )
    def test_it_is_the_last_good_one(
        self, tmp_path: Path, ended: list[Deployment], present: str | None
    ) -> None:
        found = kept(tmp_path, *ended).present
        assert (found and found.name) == present

    def test_a_line_that_is_damaged_is_named_and_not_passed_over(self, tmp_path: Path) -> None:
        found = kept(tmp_path, made("a"))
        with found.log.open("ab") as log:
            log.write(b'{"name": "b\xff"\n')
        with pytest.raises(UserError, match=r"deployments\.log cannot be read"):
            _ = found.present

    def test_a_last_line_that_was_cut_off_is_no_line(self, tmp_path: Path) -> None:
        found = kept(tmp_path, made("a"))
        whole = found.log.read_bytes()
        found.log.write_bytes(whole + whole[:20])
        assert found.present == made("a") and found.image_ids() == set()
        found.settle()
        assert found.log.read_bytes() == whole
        # One that lacks nothing but its end stays.
        found.log.write_bytes(whole + whole.rstrip())
        Deployments(tmp_path).settle()
        again = Deployments(tmp_path)
        again.end(made("c", "refused"))
        assert [one.name for one in again.ended] == ["a", "a", "c"]

    def test_what_ran_before_is_an_up(self, tmp_path: Path) -> None:
        left = {"it-app": "c1"}
        found = kept(
            tmp_path, made("a", containers={"it-app": "c0"}), made("b", "rolled back", containers=left)
        )
        assert not found.strayed(left) and found.strayed({"it-app": "c2"}) and found.strayed({})
        # What a killed one left is not known.
        assert not kept(tmp_path, made("a", containers=left), made("b", "interrupted")).strayed(
            {"it-app": "c2"}
        )
        assert not kept(tmp_path).strayed(left)


class TestWhatToGoBackTo:
    def test_without_a_name_it_is_the_one_before_and_then_the_one_before_that(self, tmp_path: Path) -> None:
        ended = [made("a"), made("b"), made("c", "rolled back", rolled_back_to="b"), made("d")]
        assert choose(kept(tmp_path, *ended), None, force=False).name == "b"
        assert choose(kept(tmp_path, *ended, back("e", "b")), None, force=False).name == "a"
        with pytest.raises(UserError, match="no release before a"):
            choose(kept(tmp_path, *ended, back("e", "b"), back("f", "a")), None, force=False)

    @pytest.mark.parametrize("outcome", ["interrupted", "failed"])
    def test_after_a_failure_it_is_the_last_good_one(self, tmp_path: Path, outcome: str) -> None:
        found = kept(tmp_path, made("a"), made("b"), made("c", outcome))
        assert choose(found, None, force=False).name == "b"
        assert choose(found, "b", force=False).name == "b"

    def test_after_an_up_it_is_what_was_deployed_last(self, tmp_path: Path) -> None:
        found = kept(tmp_path, made("a"), made("b"))
        assert choose(found, None, force=False, strayed=True).name == "b"
        assert choose(found, "b", force=False, strayed=True).name == "b"

    def test_what_runs_is_applied_again_by_force_alone(self, tmp_path: Path) -> None:
        found = kept(tmp_path, made("a"), made("b"))
        with pytest.raises(UserError, match="is what was deployed last"):
            choose(found, "b", force=False)
        assert choose(found, "b", force=True).name == "b"
        assert choose(found, "a", force=False).name == "a"

    def test_a_name_that_means_none_or_several(self, tmp_path: Path) -> None:
        found = kept(tmp_path, made("20260101-a"), made("20260102-b"))
        assert found.find("20260102").name == "20260102-b"
        for name, said in {"2026": "several", "x": "there is no deployment x"}.items():
            with pytest.raises(UserError, match=said) as error:
                found.find(name)
            assert "20260102-b, 20260101-a" in error.value.fix or name == "x"


class TestWhatIsKept:
    def test_the_newest_and_what_is_deployed(self) -> None:
        names = [f"r{number}" for number in range(10)]
        ended = [made(name) for name in names]
        assert forgotten(ended, ended[-1], names) == names[:-KEPT]
        # An old one is deployed again: what it is made of stays, however many failed since.
        ended += [back("s0", "r7")] + [made(f"t{number}", "failed") for number in range(KEPT + 2)]
        whole = [one.name for one in ended]
        gone = forgotten(ended, ended[10], whole)
        assert "r7" not in gone and "s0" not in gone
        assert {"t0", "t1", "r0", "r4"} <= set(gone) and not {"t2", "r5", "r9"} & set(gone)

    def test_one_that_runs_stays(self) -> None:
        assert forgotten([made("a")], None, ["a", "z"]) == []

    def test_images_of_what_can_be_gone_back_to_are_spared(self, tmp_path: Path) -> None:
        images = {name: (Image(name=name, id=f"sha256:{name}"),) for name in "abcd"}
        ended = [made(name, "failed" if name == "b" else "deployed", images=images[name]) for name in "abc"]
        found = kept(tmp_path, *ended, back("d", "c", images=images["d"]))
        for name in "bc":
            found.definitions(name).mkdir(parents=True)
        assert found.image_ids() == {"sha256:c", "sha256:d"}

    def test_from_its_beginning_to_its_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        project = tmp_path / "project"
        project.mkdir()
        (project / "Pulumi.dev.yaml").write_text("config: {}")
        monkeypatch.setattr(places, "ROOT", project)
        found = Deployments(tmp_path / "deployments")
        first = found.begin("init")
        assert found.running() == [first] and first.outcome == "running" and found.present is None
        assert (found.definitions(first.name) / "Pulumi.dev.yaml").read_text() == "config: {}"
        ended = found.end(first.model_copy(update={"outcome": "deployed"}))
        assert found.running() == [] and found.present == ended and found.whole(first.name)
        second = found.begin("update")
        assert second.name > first.name, "names are one for each second"
        found.settle()
        assert [one.outcome for one in found.ended] == ["deployed", "interrupted"] and found.last is not None
        assert "killed" in str(found.last.cause)
        third = found.end(found.begin("update").model_copy(update={"outcome": "refused"}))
        assert not found.place(third.name).exists() and found.ended[-1].outcome == "refused"
        assert found.last.name == second.name, "what changed nothing leaves the last one as it was"
        again = found.begin("rollback", of=ended)
        assert again.of == first.name and not found.definitions(again.name).exists()
        for path in tmp_path.joinpath("deployments").rglob("*"):
            assert "definitions" in path.parts or not path.stat().st_mode & 0o077 or path.name == "releases"
        assert found.folder.stat().st_mode & 0o777 == 0o700

    def test_what_the_log_lacks_is_written_as_it_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = tmp_path / "project"
        project.mkdir()
        monkeypatch.setattr(places, "ROOT", project)
        found = Deployments(tmp_path / "deployments")
        course = Course(
            stack=cast(Stack, SimpleNamespace(name="dev")),
            kept=found,
            deployment=found.begin("update"),
            present=None,
            wishes=Wishes(),
            to=sys.stdout,
            began=0.0,
        ).noting(backups=("things.dump",))
        (running,) = found.running()
        assert running.backups == ("things.dump",) and running.outcome == "running"
        found.log.mkdir()  # no line can be written
        for outcome, code in {"deployed": 4, "failed": 4, "rolled back": 3, "interrupted": 130}.items():
            with pytest.raises(DeploymentError, match="could not be recorded") as error:
                course.end(cast(Any, outcome))
            assert error.value.code == code and "nothing was changed" not in error.value.cause
        with pytest.raises(DeploymentError):
            course.end("deployed")
        found.log.rmdir()
        half = found.place("20260101T000000Z-x")
        half.mkdir()
        found.settle()
        (ended,) = found.ended
        assert ended.outcome == "deployed" and ended.backups == ("things.dump",) and not half.exists()

    def test_a_record_that_is_damaged_is_named(self, tmp_path: Path) -> None:
        found = kept(tmp_path, made("a"))
        (found.place("b") / "record.json").parent.mkdir(parents=True)
        (found.place("b") / "record.json").write_text("{")
        with pytest.raises(UserError, match=r"b/record\.json cannot be read"):
            found.settle()


class TestDefinitions:
    def git(self, root: Path, *args: str) -> None:
        who = ("-c", "user.name=me", "-c", "user.email=me@example.com")
        subprocess.run(["git", "-C", str(root), *who, *args], check=True, capture_output=True)

    def project(self, folder: Path) -> Path:
        root = folder / "project"
        (root / "workloads" / "app").mkdir(parents=True)
        (root / "workloads" / "app" / "run").write_text("#!/bin/sh\n")
        (root / "workloads" / "app" / "run").chmod(0o755)
        (root / "__pycache__").mkdir()
        (root / "__pycache__" / "x.pyc").write_text("")
        (folder / "elsewhere").write_text("out")
        (root / "link").symlink_to("../elsewhere")
        (root / "inside").symlink_to("workloads/app/run")
        return root

    def test_a_copy_is_what_was_there_with_modes_and_links(self, tmp_path: Path) -> None:
        root, to = self.project(tmp_path), tmp_path / "a" / "b" / "copy"
        to.parent.mkdir(parents=True)
        digest = definitions.copy(root, to)
        names = {path.relative_to(to).as_posix() for path in to.rglob("*") if not path.is_dir()}
        assert names == {"workloads/app/run", "link", "inside"}
        assert (to / "workloads/app/run").stat().st_mode & 0o777 == 0o755
        assert (to / "workloads/app").stat().st_mode == (root / "workloads/app").stat().st_mode
        assert (to / "link").read_text() == "out" and (to / "inside").resolve().is_relative_to(to)
        (root / "workloads" / "app" / "run").write_text("#!/bin/ash\n")
        assert definitions.copy(root, tmp_path / "other") != digest

    def test_git_says_what_belongs_to_it(self, tmp_path: Path) -> None:
        root = self.project(tmp_path)
        assert definitions.commit(root) is None and not definitions.changed(root)
        self.git(root, "init", "-q")
        (root / ".gitignore").write_text("secret.txt\n")
        (root / "secret.txt").write_text("mine")
        (root / "gone").write_text("")
        self.git(root, "add", "-A")
        self.git(root, "commit", "-q", "-m", "one")
        assert len(definitions.commit(root) or "") == 40
        (root / "gone").unlink()
        (root / "new").write_text("")
        found = {path.as_posix() for path in definitions.files(root)}
        assert "new" in found and not {"gone", "secret.txt", "__pycache__/x.pyc"} & found
        assert definitions.changed(root)

    def test_where_git_fails_nothing_is_copied(self, tmp_path: Path) -> None:
        root = self.project(tmp_path)
        (root / ".git").write_text("gitdir: /nowhere/at/all\n")
        for what in (definitions.commit, definitions.changed, definitions.files):
            with pytest.raises(UserError, match="not a git repository"):
                what(root / "workloads")

    def test_what_is_needed_is_kept_although_git_ignores_it(self, tmp_path: Path) -> None:
        root = self.project(tmp_path)
        self.git(root, "init", "-q")
        (root / ".gitignore").write_text("Pulumi.*.yaml\n")
        for name in ("Pulumi.dev.yaml", "Pulumi.other.yaml"):
            (root / name).write_text("config: {}")
        definitions.copy(root, tmp_path / "copy", needed=("Pulumi.yaml", "Pulumi.dev.yaml"))
        assert [path.name for path in (tmp_path / "copy").glob("Pulumi.*")] == ["Pulumi.dev.yaml"]

    def test_names_and_links_of_all_kinds(self, tmp_path: Path) -> None:
        root = self.project(tmp_path)
        steps = root / "workloads" / "migrations"
        steps.mkdir()
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "1.sql").write_text("one")
        (steps / "there").symlink_to(tmp_path / "shared")
        (steps / "nowhere").symlink_to("gone")
        (steps / "itself").symlink_to("itself")
        Path(os.fsdecode(os.fsencode(steps) + b"/\xff.sql")).write_text("")
        self.git(root, "init", "-q")
        for name in definitions.files(root):
            assert os.path.lexists(root / name)
        definitions.copy(root, tmp_path / "copy")
        before = definitions.migrations(tmp_path / "copy")
        (tmp_path / "shared" / "1.sql").write_text("two")
        assert definitions.migrations(tmp_path / "copy") != before

    def test_a_vast_project_is_refused_by_its_largest_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = self.project(tmp_path)
        (root / "film.mp4").write_bytes(b"x" * 5000)
        monkeypatch.setattr(definitions, "MOST", 4000)
        with pytest.raises(UserError, match=r"the largest are film\.mp4"):
            definitions.copy(root, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    def test_another_migration_is_another_schema_and_other_code_is_not(self, tmp_path: Path) -> None:
        root = self.project(tmp_path)
        before = definitions.migrations(root)
        (root / "workloads" / "app" / "run").write_text("other")
        assert definitions.migrations(root) == before
        (root / "workloads" / "app" / "migrations").mkdir()
        (root / "workloads" / "app" / "migrations" / "1.sql").write_text("CREATE TABLE a (id int)")
        assert definitions.migrations(root) != before

    def test_this_project_has_migrations_where_they_are_looked_for(self) -> None:
        project = Path(__file__).parents[2]
        for name in definitions._SCHEMAS:
            assert "CREATE TABLE" in (project / name).read_text()
        assert list(project.glob("workloads/*/prisma/migrations/*/migration.sql"))


def state(*containers: tuple[str, str, str]) -> dict[str, Any]:
    """Containers by service, id and image."""
    resources = [
        {
            "type": "docker:index/container:Container",
            "urn": f"urn::{service}",
            "id": id,
            "outputs": {
                "name": f"it-{service}",
                "image": image,
                "labels": [{"label": "berth.service", "value": service}],
            },
        }
        for service, id, image in containers
    ]
    return {"deployment": {"resources": resources}}


class TestMigrations:
    release = made(
        "a", migrations="m1", containers={"it-migrate": "c1"}, images=(Image(name="x", id="sha256:1"),)
    )

    @pytest.mark.parametrize(
        ("exported", "seen", "is_crossed"),
        [
            (state(), "m1", False),
            (state(), "m2", True),
            # The job did not run: whatever the files say, the schema is as it was.
            (state(("migrate", "c1", "sha256:1")), "m2", False),
            (state(("migrate", "c2", "berth/app:012345678901")), "m2", True),
            # An `up` in between: its image is of no release with these migrations.
            (state(("migrate", "c2", "berth/app:012345678901")), "m1", True),
            (state(("migrate", "c2", "berth/app:later")), "m1", False),
            (state(("migrate", "c2", "berth/app:killed")), "m1", False),
            (state(("migrate", "c2", "berth/app:other")), "m1", True),
            (state(("migrate", "c2", "berth/app:failed")), "m1", True),
            (state(("migrate", "c2", "sha256:1")), "m1", False),
            (state(("migrate", "c2", "sha256:2")), "m1", True),
            (state(("app", "c2", "sha256:2")), "m1", False),
        ],
    )
    def test_crossed_where_a_newer_schema_cannot_be_ruled_out(
        self, exported: dict[str, Any], seen: str, is_crossed: bool
    ) -> None:
        known = [
            self.release,
            made("b", migrations="m1", images=(Image(name="berth/app:later", id="sha256:3"),)),
            made("c", "interrupted", migrations="m1", builds=("berth/app:killed",)),
            made("d", migrations="m2", images=(Image(name="berth/app:other", id="sha256:4"),)),
            # What one that failed left may be of what was there before.
            made("e", "failed", migrations="m1", images=(Image(name="berth/app:failed", id="sha256:5"),)),
        ]
        assert bool(crossed(exported, self.release, seen, known)) == is_crossed

    @pytest.mark.parametrize(
        ("image", "seen", "sure", "is_crossed"),
        [
            ("berth/app:1", "m1", False, True),
            ("berth/app:1", "m1", True, False),
            ("berth/app:1", "m2", True, True),
            ("sha256:1", "m1", True, True),
        ],
    )
    def test_a_job_that_was_killed_while_it_was_replaced_has_run(
        self, image: str, seen: str, sure: bool, is_crossed: bool
    ) -> None:
        release = self.release.model_copy(update={"migrates": {"it-migrate": image}})
        assert bool(crossed(state(), release, seen, [release], sure=sure)) == is_crossed


class TestWorkingFromACopy:
    def stack(self, folder: Path, text: str = "config: {}") -> Stack:
        (folder / "Pulumi.dev.yaml").write_text(text)
        pulumi = Pulumi(program="pulumi", environment={"A": "b"}, stack="dev")
        return Stack(
            file=StackFile("dev", root=folder),
            pulumi=pulumi,
            toolchain=cast(Toolchain, None),
            engine=None,
        )

    def release(self, folder: Path, text: str) -> Deployments:
        copy = Deployments(folder).definitions("a")
        copy.mkdir(parents=True)
        (copy / "Pulumi.dev.yaml").write_text(text)
        return Deployments(folder)

    def test_the_copy_is_worked_on_and_the_users_folder_is_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(places, "ROOT", tmp_path)
        (tmp_path / ".venv").mkdir()
        found = self.release(tmp_path / "kept", "config: {berth:systems: [gateway]}")
        copy = found.definitions("a")
        for _ in range(2):  # also a second time
            there = at(self.stack(tmp_path), found, back("b", "a"))
            assert there.file.config == {"systems": ["gateway"]} and there.pulumi.folder == copy
            assert there.pulumi.environment == {"A": "b", "PULUMI_OPTION_POLICY_PACK": f"{copy}/policies"}
            assert (copy / ".venv").resolve() == tmp_path / ".venv"
        assert not [path for path in definitions.files(copy) if ".venv" in path.parts]

    def test_one_of_another_host_or_that_is_gone_is_refused(self, tmp_path: Path) -> None:
        found = self.release(tmp_path / "kept", "config: {}")
        moved = "config: {berth:host: {kind: ssh, address: 'ssh://me@there'}}"
        with pytest.raises(UserError, match="another host"):
            at(self.stack(tmp_path, moved), found, made("a"))
        shown = "config: {berth:cloud-api: {frontend: {mode: development, source: workloads/web}}}"
        with pytest.raises(UserError, match="shows the sources in workloads/web"):
            at(self.stack(tmp_path), self.release(tmp_path / "shown", shown), made("a"))
        with pytest.raises(UserError, match="no longer kept whole"):
            at(self.stack(tmp_path), found, made("b"))


class TestRefusals:
    there, nothing = state(("app", "c1", "x")), state()

    def test_the_wrong_verb(self) -> None:
        with pytest.raises(UserError, match=r"has containers already \(1\)"):
            refuse("init", "dev", self.there, None, force=True)
        with pytest.raises(UserError, match="nothing deployed"):
            refuse("update", "dev", self.nothing, None, force=True)
        refuse("init", "dev", self.nothing, None, force=False)
        refuse("update", "dev", self.there, None, force=False)

    def test_after_an_interrupted_one_only_by_force(self) -> None:
        stopped = made("a", "interrupted")
        with pytest.raises(UserError, match="was interrupted") as error:
            refuse("update", "dev", self.there, stopped, force=False)
        assert "rollback" in error.value.fix and "--force" in error.value.fix
        refuse("update", "dev", self.there, stopped, force=True)
        refuse("update", "dev", self.there, made("a", "failed"), force=False)


def test_what_would_be_built() -> None:
    def event(op: str, name: str | None, kind: str = "docker:index/image:Image") -> dict[str, Any]:
        new = {"inputs": {"imageName": name}} if name else {"inputs": {}}
        return {"resourcePreEvent": {"metadata": {"op": op, "type": kind, "urn": "urn::web", "new": new}}}

    gone: list[dict[str, Any]] = [
        {
            "resourcePreEvent": {
                "metadata": {"op": op, "type": "docker:index/image:Image", "urn": "u", "new": None}
            }
        }
        for op in ("delete", "delete-replaced", "discard")
    ]
    events = [
        *gone,
        {"diagnosticEvent": {}},
        event("create", "b:1"),
        event("update", "a:1"),
        event("same", "c:1"),
        event("create", None),
        event("create", "d:1", "docker:index/container:Container"),
    ]
    assert builds(events) == ["a:1", "b:1", "web"]


def test_whether_a_lock_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not hold.held(path)
    with hold.hold(path, doing="this", wait=False):
        assert hold.held(path)
        with pytest.raises(UserError, match="this has been running"), hold.hold(path, doing="x", wait=False):
            pass
    assert not hold.held(path)


def test_a_look_at_a_lock_stands_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        timer = threading.Timer(0.04, lambda: fcntl.flock(looking, fcntl.LOCK_UN))
        timer.start()
        with hold.hold(path, doing="this", wait=False):
            pass
        timer.join()


def test_an_engine_that_is_away_takes_no_container_from_the_record() -> None:
    away = SimpleNamespace(client=lambda: DockerClient(base_url=f"tcp://127.0.0.1:{free_port()}"))
    stack = cast(Stack, SimpleNamespace(name="dev", engine=away))
    found = inventory(stack, state(("migrate", "c1", "berth/app:1"), ("app", "c2", "berth/app:1")))
    assert found["containers"] == {"it-migrate": "c1", "it-app": "c2"}
    assert found["migrates"] == {"it-migrate": "berth/app:1"}
    assert "images could not be recorded" in found["cause"] and "images" not in found


def test_a_stack_without_an_engine_is_refused() -> None:
    with pytest.raises(UserError, match="nothing was changed"):
        asked(cast(Stack, SimpleNamespace(name="dev", engine=None)))


def test_a_refusal_has_the_exit_code_of_one() -> None:
    def raised(error: Exception) -> UserError:
        with pytest.raises(UserError) as found, refusing():
            raise error
        return found.value

    assert raised(UserError("x", fix="y", code=3)).code == 1
    assert raised(UserError("x", fix="y", code=130)).code == 130
    assert "nothing was changed" in raised(DockerException("no pipe")).cause
    assert raised(DeploymentError(made("a"), "x", fix="y", code=4)).code == 4
