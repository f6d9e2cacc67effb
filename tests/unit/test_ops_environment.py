"""`./berth env`: valid shell, no secret, and the user's own settings win."""

import json
import subprocess
from pathlib import Path

import pytest

from offline.toolchain import Toolchain
from ops import backend, passphrase
from ops.environment import exports, variables
from ops.errors import UserError
from ops.project import StackFile

OFFICIAL = Toolchain("official", Path("/opt/pulumi/pulumi"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "PULUMI_BACKEND_URL",
        "PULUMI_CONFIG_PASSPHRASE",
        "PULUMI_CONFIG_PASSPHRASE_FILE",
        "PULUMI_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PULUMI_CREDENTIALS_PATH", raising=False)
    for name in ("CACHE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / f"my {name.lower()}"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def stack(folder: Path, text: str = "config: {}\n") -> StackFile:
    (folder / "Pulumi.dev.yaml").write_text(text)
    return StackFile("dev", folder)


def test_exports_are_shell_and_hold_no_secret(home: Path) -> None:
    found = variables(stack(home), program=OFFICIAL, host="tcp://10.0.0.1:2375")
    text = exports({**found, "ODD": 'a\'b $(touch x) "c"\nd'})
    secret = passphrase.generated_file().read_text().strip()
    assert secret not in text
    shown = subprocess.run(
        [
            "sh", "-c",
            text + 'printf %s "$ODD|$DOCKER_HOST|$PULUMI_STACK|$(cat "$PULUMI_CONFIG_PASSPHRASE_FILE")"',
        ],
        capture_output=True, text=True, check=True, cwd=home,
    )  # fmt: skip
    assert shown.stdout == f'a\'b $(touch x) "c"\nd|tcp://10.0.0.1:2375|dev|{secret}'
    assert not (home / "x").exists()


def test_state_is_a_folder_of_the_user_by_default(home: Path) -> None:
    assert backend.variables(create=True) == {
        "PULUMI_BACKEND_URL": f"{(home / 'my data').as_uri()}/berth/state"
    }
    assert (home / "my data" / "berth" / "state").is_dir()


@pytest.mark.parametrize("variable", ["PULUMI_HOME", "PULUMI_CREDENTIALS_PATH"])
def test_a_login_of_the_user_wins(home: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, str(home / "pulumi"))
    (home / "pulumi").mkdir()
    (home / "pulumi" / "credentials.json").write_text(json.dumps({"current": "s3://bucket"}))
    assert backend.variables(create=True) == {}


def test_backend_url_of_the_user_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert backend.variables(create=True) == {}


def test_passphrase_is_strong_private_and_stays(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = stack(home)
    passphrase.variables(file, create=True)
    path = passphrase.generated_file()
    first = path.read_text()
    assert (path.stat().st_mode & 0o777, len(first.strip()) >= 40) == (0o600, True)
    assert str(path) in capsys.readouterr().err
    passphrase.variables(file, create=True)
    assert (path.read_text(), capsys.readouterr().err) == (first, "")


def test_passphrase_of_the_user_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    assert passphrase.variables(stack(home), create=True) == {}
    assert not passphrase.generated_file().exists()


def test_another_secrets_provider_needs_no_passphrase(home: Path) -> None:
    assert passphrase.variables(stack(home, "secretsprovider: awskms://key\n"), create=True) == {}


def test_a_stack_encrypted_elsewhere_is_refused_before_a_new_passphrase_hides_it(home: Path) -> None:
    with pytest.raises(UserError, match="a passphrase that is not on this machine"):
        passphrase.variables(stack(home, "encryptionsalt: v1:abc\n"), create=True)
    assert not passphrase.generated_file().exists()


def test_every_run_meets_the_policies(home: Path) -> None:
    found = variables(stack(home), program=OFFICIAL, host=None)
    pack = Path(found["PULUMI_OPTION_POLICY_PACK"])
    assert (pack / "PulumiPolicy.yaml").is_file()


def test_what_reads_no_secret_needs_no_passphrase(home: Path) -> None:
    """`status`: Pulumi exports the state with its secrets still encrypted."""
    file = stack(home, "encryptionsalt: v1:abc\n")
    found = variables(file, program=OFFICIAL, host=None, secrets=False)
    assert not any("PASSPHRASE" in name for name in found) and not passphrase.generated_file().exists()
