import pytest

from service.replay.columns import cut, cut_pair, width_of


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("Ana", 3), ("あい", 4), ("é", 1), ("e\u0301", 1), ("🎉", 2)]
)
def test_the_width_of_a_text_is_what_it_takes_in_a_terminal(text: str, width: int) -> None:
    assert width_of(text) == width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("Ana", 3, "Ana"), ("Anabel", 4, "Ana…"), ("あいう", 5, "あい…"), ("あいう", 4, "あ…")],
)
def test_a_long_text_is_cut(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
    assert width_of(shown) <= width


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ("Ana", "Ben", ("Ana", "Ben")),
        ("A" * 20, "Ben", ("AAAAAA…", "Ben")),
        ("Ana", "B" * 20, ("Ana", "BBBBBB…")),
        ("A" * 20, "B" * 20, ("AAAA…", "BBBB…")),
    ],
)
def test_a_short_name_leaves_its_columns_to_the_other_one(
    first: str, second: str, shown: tuple[str, str]
) -> None:
    assert cut_pair(first, second, 10) == shown
