"""Sealed values that no passphrase opens are named before the engine meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import doctor, passphrase, sealed, settings
from ops.errors import UserError
from ops.project import StackFile
from tests.unit.test_ops_settings import GOOD, LACKING, SALT, stack_file

VALUE = GOOD.removeprefix("{secure: '").removesuffix("'}")
PATH = "berth:secrets.aliyun_access_key"


def sealing(root: Path, value: str = f"'{VALUE}'", salt: str | None = SALT) -> StackFile:
    text = LACKING + f"  berth:secrets: {{aliyun_access_key: {{secure: {value}}}}}\n"
    return stack_file(root, text + (f"encryptionsalt: {salt}\n" if salt else ""))


def refusal(file: StackFile, passphrase: str | None = None) -> UserError:
    with pytest.raises(UserError) as error:
        if passphrase is None:
            settings.check(file)
        else:
            sealed.verify(file, passphrase)
    assert VALUE not in str(error.value)
    return error.value


def test_what_is_whole_is_taken(tmp_path: Path) -> None:
    file = sealing(tmp_path)
    settings.check(file)
    sealed.verify(file, "odd")


@pytest.mark.parametrize(
    "value", ["5", '""', "v1:notvalid", f"'{VALUE[:-9]}'", "x", "null", f"'v2{VALUE[2:]}'"]
)
def test_a_value_that_pulumi_never_wrote_is_named(tmp_path: Path, value: str) -> None:
    told = refusal(sealing(tmp_path, value))
    assert f"{PATH}: its `secure:` is not what Pulumi writes" in told.cause
    assert f"pulumi config set --secret --path {PATH} --stack odd" in told.fix


@pytest.mark.parametrize("salt", ["v1:xyz", "v1:xyz=:v1:a:b", "5", "v1::" + VALUE, SALT[:-3]])
def test_a_salt_that_pulumi_never_wrote_is_named(tmp_path: Path, salt: str) -> None:
    told = refusal(sealing(tmp_path, salt=salt))
    assert "encryptionsalt: not what Pulumi writes" in told.cause and "restore" in told.fix
    assert "config set" not in told.fix


def test_a_salt_that_is_gone_is_named(tmp_path: Path) -> None:
    assert "encryptionsalt: missing" in refusal(sealing(tmp_path, salt=None)).cause


def test_others_that_seal_are_left_alone(tmp_path: Path) -> None:
    text = sealing(tmp_path, "anything", salt=None).path.read_text()
    settings.check(stack_file(tmp_path, f"secretsprovider: awskms://key\n{text}"))


def test_values_are_found_at_any_depth(tmp_path: Path) -> None:
    text = "config:\n  docker:registryAuth: [{password: {secure: a}}]\n  berth:secrets: {secure: b}\n"
    found = [it.path for it in sealed.find(stack_file(tmp_path, text))]
    assert found == ["docker:registryAuth[0].password", "berth:secrets"]


def test_a_wrong_passphrase_does_not_open_the_salt(tmp_path: Path) -> None:
    assert "the passphrase does not fit Pulumi.odd.yaml" in refusal(sealing(tmp_path), "even").cause


def test_a_value_that_was_changed_is_named(tmp_path: Path) -> None:
    changed = VALUE[:-4] + ("AAA=" if VALUE[-4:] != "AAA=" else "BBB=")
    told = refusal(sealing(tmp_path, f"'{changed}'"), "odd")
    assert f"{PATH}: its `secure:` was changed" in told.cause


def test_doctor_tells_a_value_that_is_not_whole_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = sealing(tmp_path, "v1:notvalid")
    monkeypatch.setattr(doctor, "StackFile", lambda _name: file)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "odd")
    (told,) = [finding for finding in doctor.examine("odd") if PATH in finding.found]
    assert (told.what, told.grade) == ("stack file", "missing")


@pytest.mark.parametrize(("given", "grade"), [("odd", "ok"), ("even", "missing")])
def test_doctor_tries_the_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, grade: str
) -> None:
    file = sealing(tmp_path)
    monkeypatch.setattr(doctor, "StackFile", lambda _name: file)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", given)
    (found,) = [finding for finding in doctor.examine("odd") if finding.what == "passphrase"]
    assert found.grade == grade


def test_the_passphrase_is_read_as_pulumi_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = sealing(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    assert passphrase.known(file) is None
    (tmp_path / "word").write_text(" odd \n")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(tmp_path / "word"))
    assert passphrase.known(file) == "odd"
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(tmp_path / "gone"))
    with pytest.raises(UserError, match="cannot be read"):
        passphrase.known(file)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    assert passphrase.known(file) == ""
