"""Display names of users."""

from __future__ import annotations

import pytest

from service.domain.names import clean_name, placeholder_name
from service.fanout.profiles import Profiles


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Ana", "Ana"),
        ("  Ana Mar\u00eda  ", "Ana Mar\u00eda"),
        ("\u3000\u00a0Ana\u2003\u3000", "Ana"),
        ("A\tn\na\x00\x7f", "Ana"),
        ("\u2028A\u2029na\u0085", "Ana"),
        # All that turns the text around it (Unicode's bidirectional algorithm, UAX 9).
        ("\u202aA\u202b\u202c\u202d\u202en\u2066\u2067\u2068\u2069a", "Ana"),
        ("\u200eA\u200f\u061cna", "Ana"),
        ("\u200b\ufeff\u2060", ""),
        ("\ud800\udfffAna", "Ana"),
        # Letters without ink, and the marks of annotations.
        ("\u115f\u1160\u2800\u3164\uffa0", ""),
        ("\ufff9A\ufffan\ufffba", "Ana"),
        ("\u200d\u200c", ""),
        # What joins belongs to names in Persian, and to pictures.
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("\u65e5\u672c", "\u65e5\u672c"),
    ],
)
def test_invisible_and_bidi_characters_are_removed_from_names(raw: str, clean: str) -> None:
    assert clean_name(raw) == clean


@pytest.mark.parametrize(
    ("user", "name"),
    [
        (7, "User#7"),
        ("ana", "User#ana"),
        ("\u202ena\u2028a", "User#naa"),
        ("\u200b", "User#"),
    ],
)
def test_a_user_without_a_name_is_named_by_the_visible_part_of_their_id(
    user: int | str, name: str
) -> None:
    assert placeholder_name(user) == name
    assert Profiles().name(user) == name
