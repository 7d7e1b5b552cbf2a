"""Passwords of rooms as they stand in the log, where they have to stay readable."""

from __future__ import annotations

import pytest

from service.domain.passwords import opens, seal

SEALED = "salt:9de89163e35d64d64a7e945c9c2958a28a11525bcc048724"
"""The password `hidden`, sealed with `salt`."""


def test_a_password_is_sealed_as_in_every_log_so_far() -> None:
    assert seal("hidden", "salt") == SEALED


@pytest.mark.parametrize(("password", "is_it"), [("hidden", True), ("Hidden", False), ("", False)])
def test_only_the_password_itself_opens_what_was_sealed(password: str, *, is_it: bool) -> None:
    assert opens(SEALED, password) is is_it


def test_another_salt_seals_differently() -> None:
    assert seal("hidden", "other") != SEALED
    assert opens(seal("hidden", "other"), "hidden")
