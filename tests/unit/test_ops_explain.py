"""What Pulumi prints when it fails, and the one cause and next step that a user gets."""

import pytest

from ops.explain import explain, first_error, plain

LOCKED = """error: the stack is currently locked by 1 lock(s). Either wait for the other \
process(es) to end or delete the lock file with `pulumi cancel`.
  file:///state/.pulumi/locks/organization/berth/dev/1.json: \
created by root@box (pid 4711) at 2026-01-02T03:04:05Z
"""
CONTAINER = """
 +  docker:index:Container gateway-processor creating (2s) error: container app-1 is unhealthy
 +  docker:index:Container gateway-processor **creating failed** error: container app-1 is unhealthy
    pulumi:pulumi:Stack berth-dev running error: update failed
Diagnostics:
  pulumi:pulumi:Stack (berth-dev):
    error: update failed

  docker:index:Container (gateway-processor):
    error: port 8010 is taken by container other-web
      fix: stop it, or choose another port

Resources:
"""
VOLUME = "urn:pulumi:dev::berth::docker:index/volume:Volume::data"
DELETED = f"""error: resource "{VOLUME}" cannot be deleted
because it is protected. To unprotect the resource, either remove the `protect` flag"""
REPLACED = f"""error: unable to replace resource "{VOLUME}"
as it is currently marked for protection. To unprotect the resource, remove the `protect` flag"""
CHAINED = f"""error: unable to replace resource "{VOLUME}" as part of replacing "{VOLUME}-other" \
as it is currently marked for protection. To unprotect the resource, remove the `protect` flag"""
UNPROTECT = (
    f"""eval "$(./berth env -s dev)"; pulumi state unprotect '{VOLUME}' --yes --stack dev; """
    "./berth up -s dev"
)
POLICY = """Policies:
    berth-policies@v0.1.0 (local: policies)
        - [mandatory]  public-ports  (docker:index/container:Container: db)
          Only 8010, 80 and 443 may be published.
"""


@pytest.mark.parametrize(
    ("output", "cause", "fix"),
    [
        ("error: incorrect passphrase", "the passphrase does not fit stack dev", "PULUMI_CONFIG_PASSPHRASE"),
        (
            "error: passphrase must be set with PULUMI_...",
            "stack dev needs its passphrase",
            "PULUMI_CONFIG_PASSPHRASE",
        ),
        (LOCKED, "locked by another Pulumi run: root@box, pid 4711", "pulumi cancel --stack dev"),
        (
            "error: validating stack config: cipher: message authentication failed",
            "a secret of stack dev cannot be opened",
            "./berth doctor -s dev",
        ),
        ("error: malformed state value", "`encryptionsalt` in Pulumi.dev.yaml", "./berth doctor -s dev"),
        ("error: validating stack config: bad value", "`secure:` value", "./berth doctor -s dev"),
        ("error: validating stack config: bad value: illegal base64", "`secure:`", "./berth doctor"),
        ("error: web: bad values were given", "bad values were given", "./berth up"),
        (
            'error: yaml: unmarshal errors:\n  line 5: mapping key "a" already defined at line 3\n\nmore',
            'yaml: unmarshal errors: line 5: mapping key "a" already defined at line 3',
            "correct what is named",
        ),
        ("error: write /x: no space left on device", "the disk is full", "docker system df"),
        (DELETED, f"a protected resource would be deleted or replaced: {VOLUME};", UNPROTECT),
        (REPLACED, f"a protected resource would be deleted or replaced: {VOLUME};", UNPROTECT),
        (CHAINED, f"a protected resource would be deleted or replaced: {VOLUME};", UNPROTECT),
        (CONTAINER, "port 8010 is taken by container other-web", "stop it, or choose another port"),
        (POLICY, "a policy stopped `up`: public-ports", "as the policy says"),
        ("something odd", "`pulumi up` failed with exit code 255", "./berth up"),
    ],
)
def test_each_failure_has_a_cause_and_a_next_step(output: str, cause: str, fix: str) -> None:
    error = explain(output, command="up", stack="dev", code=255)
    assert cause in error.cause
    assert fix in error.fix
    assert "\n" not in error.fix


def test_giving_up_one_volume_never_means_all_data_of_the_stack() -> None:
    error = explain(DELETED, command="up", stack="dev", code=255)
    assert "--with-data" not in error.fix
    assert "stays on the engine" in error.fix and "docker volume rm" in error.fix


STOPPED = """Policies:
    ❌ berth@v0.1.0 (local: policies)
        - [mandatory]  exposure  (docker:index/container:Container: db)
          Only some ports may be open.
          db: ports[0].external is 5432: it is open to all. Fix: publish it on 127.0.0.1.
        - [mandatory]  upkeep  (docker:index/container:Container: db)
          Limits.
          db: memory is unset: it may take all. Fix: set a limit.

Resources:
"""


def test_a_policy_stop_ends_with_its_resource_its_reason_and_its_fix() -> None:
    error = explain(STOPPED, command="up", stack="dev", code=255)
    assert error.cause == (
        "a policy stopped `up`: db: ports[0].external is 5432: it is open to all. (and 1 more, above)"
    )
    assert error.fix == "publish it on 127.0.0.1."


def test_a_stack_that_was_never_made_names_the_verb_that_makes_it() -> None:
    error = explain("error: no stack named 'prod' found", command="stack", stack="prod", code=255)
    assert "never been brought up" in error.cause and error.fix == "./berth up -s prod" and error.code == 3


def test_advice_names_only_verbs_that_exist() -> None:
    assert "./berth" not in explain("odd", command="stack", stack="dev", code=1).fix


def test_colours_do_not_hide_the_cause() -> None:
    assert plain("\x1b[38;5;9merror: \x1b[0mno") == "error: no"
    coloured = "\x1b[1m    \x1b[31merror:\x1b[0m image app:1 was not found"
    assert explain(coloured, command="up", stack="dev", code=1).cause == "image app:1 was not found"


def test_a_vague_error_is_taken_only_when_there_is_no_other() -> None:
    assert first_error("error: update failed\n") == ("update failed", None)
    assert first_error("") == (None, None)
