"""When a certificate is asked for, and what an ACME server's refusals mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.edge.renewal_files import Served
from components.edge.renewal_plan import (
    LETS_ENCRYPT,
    STAGING,
    Outcome,
    Request,
    Wish,
    alarming,
    due,
    limited,
    wait,
)
from components.edge.renewal_request import command, meaning

NOW = datetime(2030, 1, 15, 12, tzinfo=UTC)
DOMAINS = ("audio.example.com", "www.audio.example.com")
WISH = Wish(DOMAINS, "ops@example.com", LETS_ENCRYPT, "public")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def served(*, left: timedelta, lifetime: timedelta = 90 * DAY) -> Served:
    return Served("", frozenset(DOMAINS), NOW + left - lifetime, NOW + left)


def requests(outcome: Outcome, *ago: timedelta, wish: Wish = WISH) -> list[Request]:
    return [Request(NOW - it, wish.key, wish.server, wish.domains, outcome) for it in ago]


@pytest.mark.parametrize(
    ("lifetime", "left", "wanted"),
    [
        (90 * DAY, 30 * DAY + MINUTE, False),
        (90 * DAY, 30 * DAY, True),
        (90 * DAY, -DAY, True),
        (6 * DAY, 3 * DAY, False),
        (6 * DAY, 2 * DAY, True),
    ],
)
def test_a_third_of_the_lifetime_before_its_end_a_certificate_is_renewed(
    lifetime: timedelta, left: timedelta, wanted: bool
) -> None:
    assert due(served(left=left, lifetime=lifetime), NOW) is wanted


def test_none_at_all_is_due() -> None:
    assert due(None, NOW)


def test_the_alarm_comes_14_days_before_the_end_and_later_for_short_ones() -> None:
    assert alarming(served(left=DAY)) == 14 * DAY
    assert alarming(served(left=DAY, lifetime=6 * DAY)) == 1.5 * DAY


@pytest.mark.parametrize(
    ("outcome", "times", "minutes"),
    [
        ("refused", 1, 15),
        ("refused", 2, 30),
        ("refused", 4, 120),
        ("refused", 9, 720),
        ("begun", 1, 15),
        ("unasked", 1, 1),
        ("unasked", 3, 4),
        ("unasked", 40, 60),
    ],
)
def test_after_failures_it_waits_longer_and_longer(outcome: Outcome, times: int, minutes: int) -> None:
    other = Wish(DOMAINS, WISH.email, STAGING, "public")
    ledger = [*requests("issued", 10 * DAY), *requests("refused", DAY, wish=other)]
    ledger += requests(outcome, *([9 * DAY] * (times - 1)), timedelta())
    found = wait(ledger, WISH, NOW)
    assert found is not None and found.until == NOW + minutes * MINUTE
    assert found.why == f"failure number {times} in a row"
    assert wait(ledger, WISH, NOW + minutes * MINUTE) is None


def test_five_attempts_an_hour_are_never_reached_by_itself() -> None:
    ledger: list[Request] = []
    now = NOW
    for _ in range(60 * 24):
        if wait(ledger, WISH, now) is None:
            ledger.append(Request(now, WISH.key, WISH.server, WISH.domains, "refused"))
        recent = [it for it in ledger if it.at > now - HOUR]
        assert len(recent) < 5
        now += MINUTE
    assert len(ledger) < 10


def test_a_server_that_says_when_is_asked_then() -> None:
    later = NOW + 30 * HOUR
    ledger = [Request(NOW, WISH.key, WISH.server, WISH.domains, "refused", until=later)]
    found = wait(ledger, WISH, NOW)
    assert found is not None and (found.until, found.why) == (later, "the ACME server asked for it")


def test_the_limits_of_lets_encrypt_are_named_before_they_are_hit() -> None:
    week = requests("issued", 6 * DAY, 5 * DAY, 4 * DAY, 3 * DAY, 2 * DAY)
    found = limited(week, WISH, NOW)
    assert found is not None and found.until == NOW + DAY
    assert (
        found.why == "Let's Encrypt's limit would be hit: 5 certificates for exactly the same names in 7 days"
    )
    assert limited(week[1:], WISH, NOW) is None
    fewer = Wish(DOMAINS[:1], WISH.email, LETS_ENCRYPT, "public")
    assert limited(week, fewer, NOW) is None, "other names are another set"

    hour = requests("refused", 50 * MINUTE, 40 * MINUTE, 30 * MINUTE, 20 * MINUTE, 10 * MINUTE)
    found = limited(hour, fewer, NOW)
    assert found is not None and found.until == NOW + 10 * MINUTE
    assert found.why.endswith("5 failed validations of one name in an hour")

    many = [
        *(
            Request(NOW - DAY, str(number), LETS_ENCRYPT, (f"{number}.example.com",), "issued")
            for number in range(50)
        )
    ]
    found = limited(many, WISH, NOW)
    assert found is not None and found.why.endswith("50 certificates below one registered domain in 7 days")


def test_no_other_server_has_these_limits() -> None:
    for server in (STAGING, "https://ca.example.com/acme/directory"):
        wish = Wish(DOMAINS, WISH.email, server, "public")
        assert limited(requests("issued", *[DAY] * 60, wish=wish), wish, NOW) is None


def test_another_server_or_other_names_are_another_certificate() -> None:
    staging = Wish(DOMAINS, WISH.email, STAGING, "public")
    assert len({WISH.key, staging.key, Wish(DOMAINS[:1], "", LETS_ENCRYPT, "public").key}) == 3
    assert Wish(DOMAINS, "other@example.com", LETS_ENCRYPT, "public").key == WISH.key


CHALLENGE = """\
Saving debug log to /tmp/certbot/letsencrypt.log
Requesting a certificate for audio.example.com

Certbot failed to authenticate some domains (authenticator: webroot). The authority reported:
  Domain: audio.example.com
  Type:   {kind}
  Detail: {detail}

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.

Some challenges have failed.
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile for more details.
"""
UNEXPECTED = """\
An unexpected error occurred:
{what}
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile for more details.
"""


@pytest.mark.parametrize(
    ("kind", "detail", "fix"),
    [
        ("dns", "DNS problem: NXDOMAIN looking up A for audio.example.com", "correct the DNS record"),
        ("connection", "Fetching http://audio.example.com/: Timeout", "open port 80 of this host"),
        ("unauthorized", "Invalid response: 404", "let the name's DNS record lead to this host"),
        ("caa", "CAA record prevents issuance", "CAA record must allow"),
        ("novel", "something", "correct what the server names"),
    ],
)
def test_a_refused_name_is_told_with_what_helps(kind: str, detail: str, fix: str) -> None:
    found = meaning(CHALLENGE.format(kind=kind, detail=detail), LETS_ENCRYPT)
    assert found.cause == f"the ACME server acme-v02.api.letsencrypt.org refused: audio.example.com: {detail}"
    assert fix in found.fix and found.asked and found.until is None


@pytest.mark.parametrize(
    ("what", "cause", "asked"),
    [
        ("requests.exceptions.ConnectionError: HTTPSConnectionPool(...): refused", "does not answer", False),
        ("requests.exceptions.SSLError: CERTIFICATE_VERIFY_FAILED", "is not trusted", False),
        ("acme.errors.ClientError: <Response [503]> HTTP 503", "is out of order", False),
        (
            "Cannot issue for x.local: Domain name does not end with a valid public suffix",
            "refused: Can",
            True,
        ),
    ],
)
def test_what_costs_no_request_is_told_apart(what: str, cause: str, asked: bool) -> None:
    found = meaning(UNEXPECTED.format(what=what), STAGING)
    assert cause in found.cause and found.asked is asked


def test_a_rate_limit_says_until_when() -> None:
    what = (
        "There were too many requests of a given type :: too many certificates (5) already issued for this "
        "exact set of identifiers in the last 168h0m0s, retry after 2030-01-17 10:20:30 UTC: see https://x"
    )
    found = meaning(UNEXPECTED.format(what=what), LETS_ENCRYPT)
    assert found.until == datetime(2030, 1, 17, 10, 20, 30, tzinfo=UTC) and "staging" in found.fix


def test_the_server_itself_is_heard_where_certbot_stumbles() -> None:
    # certbot 2.1 under Python 3.11 loses many of an ACME server's refusals.
    said = UNEXPECTED.format(what="AttributeError: can't set attribute")
    log = """\
{
  "type": "urn:ietf:params:acme:error:badNonce",
  "detail": "JWS has an invalid anti-replay nonce"
}
{
  "type": "urn:ietf:params:acme:error:rejectedIdentifier",
  "detail": "Cannot issue for \\"audio.example.com\\": it is on a list",
  "status": 400
}
"""
    found = meaning(said, STAGING, log)
    assert "refused: Cannot issue for " in found.cause and "on a list" in found.cause and found.asked


def test_certbot_decides_nothing() -> None:
    folder = Path("/x")
    words = command(WISH, config=folder, webroot=folder, scratch=folder)
    assert {"--force-renewal", "--non-interactive", "--agree-tos"} <= set(words)
    assert words[words.index("--cert-name") + 1] == WISH.key
    assert [words[n + 1] for n, it in enumerate(words) if it == "--domain"] == [*DOMAINS]
