"""Hashes of room passwords, whose form in the log must stay readable."""

from __future__ import annotations

import pytest

from service.domain.passwords import hash_password, verify_password

SEALED = "salt:9de89163e35d64d64a7e945c9c2958a28a11525bcc048724"
"""The password `hidden`, sealed with `salt`."""


def test_the_password_hash_format_is_unchanged() -> None:
    assert hash_password("hidden", "salt") == SEALED


@pytest.mark.parametrize(("password", "is_it"), [("hidden", True), ("Hidden", False), ("", False)])
def test_only_the_right_password_matches_its_hash(password: str, *, is_it: bool) -> None:
    assert verify_password(SEALED, password) is is_it


def test_the_password_hash_depends_on_the_salt() -> None:
    assert hash_password("hidden", "other") != SEALED
    assert verify_password(hash_password("hidden", "other"), "hidden")
