"""What the tests of updates under load take for a loss."""

from __future__ import annotations

import pytest

from tests.engine.newer import is_too_busy


@pytest.mark.parametrize(
    ("failure", "busy"),
    [
        ('0.8 s: GET /x: ValueError: 503 b\'{"error":"the database cannot be reached"}\\n\'', True),
        ('0.1 s: GET /health: ValueError: 503 b\'{"checks":{"database":"no answer"\'', True),
        ("0.8 s: GET /x: ValueError: 503 b'<html>\\r\\n<head><title>503 database</title>'", False),
        ('0.8 s: GET /x: ValueError: 503 b\'{"error":"draining"}\'', False),
        ('0.8 s: GET /x: ValueError: 502 b\'{"error":"the database"}\'', False),
        ("0.8 s: GET /x: ConnectionResetError: 503 b'{database", False),
    ],
)
def test_only_a_services_own_word_about_its_database_is_none(failure: str, busy: bool) -> None:
    assert is_too_busy(failure) is busy
