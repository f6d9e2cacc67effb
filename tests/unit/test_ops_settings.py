"""What the verbs ask of a stack file before anything else starts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import cast

import pytest

from ops import doctor, settings
from ops.errors import UserError
from ops.project import StackFile
from ops.stack import Stack


def stack_file(root: Path, text: str) -> StackFile:
    (root / "Pulumi.odd.yaml").write_text(text)
    return StackFile("odd", root)


@pytest.mark.parametrize("config", ["text", "[a]"])
def test_a_config_that_is_no_mapping_is_told(tmp_path: Path, config: str) -> None:
    with pytest.raises(UserError, match="`config` must be a mapping"):
        settings.check(stack_file(tmp_path, f"config: {config}\n"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("config:\n  berth:a: 1\n  berth:b: 2\n  berth:a: 3\n", r"line 4, column 3: key 'berth:a' .*line 2"),
        ("config: {}\nconfig: {}\n", r"line 2, column 1: key 'config'"),
        ("config: {berth:a: 2001-13-45}\n", "month must be in 1..12"),
        ("config: " + "[" * 5000, "recursion"),
        ("config: {berth:a: !!timestamp x}\n", "a value that YAML has not"),
        ("config: {berth:a: !!int ''}\n", "a value that YAML has not"),
    ],
)
def test_what_pulumi_would_not_read_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=rf"Pulumi\.odd\.yaml.*{told}"):
        settings.check(stack_file(tmp_path, text))


def test_a_merged_key_may_be_given_anew(tmp_path: Path) -> None:
    text = "config:\n  berth:a: &a {x: 1, y: 1}\n  berth:b: &b {<<: *a, x: 2}\n  berth:c: {<<: *b, x: 3}\n"
    assert stack_file(tmp_path, text).config["c"] == {"x": 3, "y": 1}


def test_a_date_is_a_wrong_value_like_any_other(tmp_path: Path) -> None:
    text = "config:\n  berth:systems: [gateway]\n  berth:gateway: {gateway: {port: 2024-01-01}}\n"
    with pytest.raises(UserError, match=r"berth:gateway.gateway.port"):
        settings.check(stack_file(tmp_path, text))


# Made with the passphrase `odd`: what is sealed is the word `value`.
SALT = "v1:BDpxh3TFcr0=:v1:++KgQGk4dih4Oj+Q:yPv0/vDeEA3FBCn31fmS7cbe6aC4XQ=="
GOOD = "{secure: 'v1:zUJATVKtVcz6mspK:pf+gJqxL1DWlmMuNnRPjUz1jsLlj'}"
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


def test_what_is_misspelt_around_the_settings_comes_with_all_other_problems(tmp_path: Path) -> None:
    text = LACKING + "  brth:gateway: {mode: gateway}\n  gateway: {}\nconf: {}\n"
    assert [line.split(": ")[0].strip() for line in told(stack_file(tmp_path, text)).splitlines()[1:]] == [
        "berth:secrets.aliyun_access_key",
        "brth:gateway",
        "conf",
        "gateway",
    ]
    assert told(stack_file(tmp_path, LACKING.replace("config", "conf"))).splitlines()[1:] == [
        "  berth:systems: required, but not set",
        "  conf: unknown part of a stack file, would be ignored; allowed: config, secretsprovider, "
        "encryptionsalt, encryptedkey, environment",
    ]


def test_a_secret_that_was_set_without_path_is_fixed_line_by_line(tmp_path: Path) -> None:
    text = LACKING + f"  berth:secrets.aliyun_access_key: {GOOD}\nencryptionsalt: {SALT}\n"
    with pytest.raises(UserError) as error:
        settings.check(stack_file(tmp_path, text))
    assert "`pulumi config rm berth:secrets.aliyun_access_key --stack odd`" in error.value.cause
    assert error.value.fix.startswith("correct Pulumi.odd.yaml as each line says")
    assert error.value.fix.endswith("--path berth:secrets.aliyun_access_key --stack odd")


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
        ("{aliyun_access_key: typed-in-plain}", "berth:secrets.aliyun_access_key: stored as plain text; "),
        (
            "{aliyun_access_key: {Secure: abc}}",
            "berth:secrets.aliyun_access_key: allowed: text; set it with `",
        ),
        ("{aliyun_access_key: {secret: x}}", "berth:secrets.aliyun_access_key: allowed: text"),
        ("{aliyun_access_key: {secure: v1:a, more: x}}", "berth:secrets.aliyun_access_key: allowed: text"),
        (f"{{other: {GOOD}, aliyun_access_key: {GOOD}}}", "berth:secrets.other: no chosen system"),
    ],
)
def test_secrets_of_another_shape_are_refused_by_name(
    tmp_path: Path, secrets: str, line: str, generate: str
) -> None:
    text = (
        LACKING
        + f"  berth:generate_secrets: {generate}\n  berth:secrets: {secrets}\nencryptionsalt: {SALT}\n"
    )
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


class Calls:
    """Stands for a stack; tells which settings were stored."""

    def __init__(self, file: StackFile, *, deployed: Collection[str]) -> None:
        self.file, self.pulumi, self.deployed = file, self, set(deployed)
        self.stored: list[str] = []

    def deployed_systems(self) -> set[str]:
        return self.deployed

    def select(self) -> None:
        self.stored.append("selected")

    def capture(self, *args: str, text: str | None = None) -> str:
        assert args[:4] == ("config", "set", "--secret", "--path") and text and text not in args
        self.stored.append(args[4])
        return ""


def ensured(
    tmp_path: Path,
    *,
    deployed: Collection[str],
    renewed: tuple[str, ...] = (),
    more: str = "",
    systems: str = "[gateway]",
) -> list[str]:
    text = LACKING.replace("[gateway]", systems) + "  berth:generate_secrets: true\n" + more
    stack = Calls(stack_file(tmp_path, text), deployed=deployed)
    try:
        settings.ensure_secrets(cast(Stack, stack), renewed=renewed)
    except UserError:
        assert stack.stored == [], "refused before anything is stored"
        raise
    return stack.stored


MADE = ["selected", "berth:secrets.aliyun_access_key"]
THERE = f"  berth:secrets: {{aliyun_access_key: {GOOD}}}\nencryptionsalt: {SALT}\n"


def test_a_first_up_makes_its_secrets(tmp_path: Path) -> None:
    assert ensured(tmp_path, deployed=()) == MADE


def test_a_deployed_stack_that_lost_a_secret_is_refused_unless_it_is_renewed_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is deployed, but .* lacks its secret.s. aliyun_access_key"):
        ensured(tmp_path, deployed=("gateway",))
    assert ensured(tmp_path, deployed=("gateway",), renewed=("aliyun_access_key",)) == MADE


def test_a_system_that_joins_a_deployed_stack_has_its_first_secrets_made(tmp_path: Path) -> None:
    assert ensured(tmp_path, deployed=("celery",)) == MADE
    both = "[gateway, celery]"
    with pytest.raises(UserError, match=r"is deployed, but .* lacks its secret.s. aliyun_access_key; "):
        ensured(tmp_path, deployed=("gateway",), systems=both)
    made = ensured(tmp_path, deployed=("gateway",), systems=both, more=THERE)
    assert len(made) > 2
    assert all(path.startswith("berth:secrets.celery_") for path in made[1:])


def test_a_secret_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    assert ensured(tmp_path, deployed=("gateway",), more=THERE) == []
    with pytest.raises(UserError, match=r"--new-secret aliyun_access_key: .* has it already"):
        ensured(tmp_path, deployed=(), renewed=("aliyun_access_key",), more=THERE)
