"""What the verbs ask of a stack file before anything else starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import doctor, settings
from ops.errors import UserError
from ops.project import StackFile


def stack_file(root: Path, text: str) -> StackFile:
    (root / "Pulumi.odd.yaml").write_text(text)
    return StackFile("odd", root)


@pytest.mark.parametrize("config", ["text", "[a]"])
def test_a_config_that_is_no_mapping_is_told(tmp_path: Path, config: str) -> None:
    with pytest.raises(UserError, match="`config` must be a mapping"):
        settings.check(stack_file(tmp_path, f"config: {config}\n"))


def test_a_date_is_a_wrong_value_like_any_other(tmp_path: Path) -> None:
    text = "config:\n  berth:systems: [gateway]\n  berth:gateway: {gateway: {port: 2024-01-01}}\n"
    with pytest.raises(UserError, match=r"berth:gateway.gateway.port"):
        settings.check(stack_file(tmp_path, text))


LACKING = "config:\n  berth:systems: [gateway]\n  berth:images: {source: local}\n"


def told(file: StackFile, *, secrets: bool = True) -> str:
    with pytest.raises(UserError) as error:
        settings.check(file, secrets=secrets)
    return error.value.cause


def test_secrets_that_only_the_user_can_set_come_with_all_other_problems(tmp_path: Path) -> None:
    file = stack_file(tmp_path, LACKING + "  berth:extra: 1\n  docker:host: tcp://10.0.0.1:2376\n")
    cause = told(file)
    paths = [line.split(": ")[0].strip() for line in cause.splitlines()[1:]]
    assert paths == ["berth:extra", "berth:secrets.aliyun_access_key", "docker:host"]


def test_unset_secrets_alone_are_fixed_by_commands_that_can_be_pasted(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        settings.check(stack_file(tmp_path, LACKING))
    assert error.value.fix == (
        'eval "$(./berth env -s odd)" && '
        "pulumi config set --secret --path berth:secrets.aliyun_access_key --stack odd"
    )


def test_what_needs_no_secrets_or_makes_them_does_not_ask_for_them(tmp_path: Path) -> None:
    settings.check(stack_file(tmp_path, LACKING), secrets=False)
    settings.check(stack_file(tmp_path, LACKING + "  berth:generate_secrets: true\n"))


@pytest.mark.parametrize("generate", ["true", "false"])
@pytest.mark.parametrize(
    ("secrets", "line"),
    [
        ("nope", "berth:secrets: allowed: a mapping of names to secret values"),
        ("[a]", "berth:secrets: allowed: a mapping of names to secret values"),
        ("{aliyun_access_key: typed-in-plain}", "berth:secrets: stored as plain text; "),
        ("{aliyun_access_key: {secret: x}}", "berth:secrets.aliyun_access_key: allowed: text"),
        ("{other: {secure: x}, aliyun_access_key: {secure: x}}", "berth:secrets.other: no chosen system"),
    ],
)
def test_secrets_of_another_shape_are_refused_by_name(
    tmp_path: Path, secrets: str, line: str, generate: str
) -> None:
    text = LACKING + f"  berth:generate_secrets: {generate}\n  berth:secrets: {secrets}\n"
    for needed in (True, False):
        (found,) = told(stack_file(tmp_path, text), secrets=needed).splitlines()[1:]
        assert found.strip().startswith(line) and "typed-in-plain" not in found


@pytest.mark.parametrize("more", ["", "  berth:extra: 1\n", "  berth:secrets: nope\n"])
def test_doctor_tells_one_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    file = stack_file(tmp_path, LACKING + more)
    monkeypatch.setattr(doctor, "StackFile", lambda _name: file)
    wrong = [finding for finding in doctor.examine("odd") if finding.what in ("stack file", "secrets")]
    (finding,) = wrong
    assert (finding.what, finding.grade) == ("stack file", "missing")
    assert finding.found == told(file)
