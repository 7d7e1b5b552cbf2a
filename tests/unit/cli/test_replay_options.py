from typing import Any

import pytest
import typer

from service.cli.replay_options import check_together, named


@pytest.mark.parametrize(
    "given",
    [
        {"ID": "r-1"},
        {"ID": "r-1", "--json": True},
        {"ID": "r-1", "--at": "1s", "--json": True},
        {"ID": "r-1", "--import": "f", "--verify": True},
        {"--import": "f", "--export": "svg", "--output": "o", "--hz": 2.0, "--from": "1s"},
        {"--live": "r", "--url": "u", "--password": "p"},
        {"ID": "r-1", "--fork": "1s", "--url": "u", "--player": ["7"]},
    ],
)
def test_options_that_go_together_are_taken(given: dict[str, Any]) -> None:
    check_together({"--json": False, "--verify": False, "--player": [], "--to": None} | given)
    check_together({"--player": ()} | given)


def test_parameters_have_the_names_of_their_options() -> None:
    params = {"match": "r-1", "import_": None, "start": "1s", "player": (), "at": None}
    assert named(params) == {
        "ID": "r-1",
        "--import": None,
        "--from": "1s",
        "--player": (),
        "--at": None,
    }


@pytest.mark.parametrize(
    ("given", "hint", "what"),
    [
        ({"--at": "1s", "--verify": True}, "--verify and --at", "choose one of"),
        ({"--live": "r", "ID": "r-1"}, "ID", "does not go with --live"),
        ({"--live": "r", "--import": "f"}, "--import", "does not go with --live"),
        ({"ID": "r-1", "--import": "f"}, "ID", "beside --import it is only for --verify"),
        ({"--export": "svg", "--json": True}, "--json", "does not go with --export"),
        ({"ID": "r-1", "--output": "o"}, "--output", "only for --export"),
        ({"ID": "r-1", "--from": "1s", "--at": "1s"}, "--from", "only for --export"),
        ({"ID": "r-1", "--player": ["7"]}, "--player", "only for --fork"),
        ({"ID": "r-1", "--password": "p"}, "--password", "only for --live"),
        ({"ID": "r-1", "--url": "u"}, "--url", "only for --live and --fork"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    given: dict[str, Any], hint: str, what: str
) -> None:
    with pytest.raises(typer.BadParameter, match=what) as refused:
        check_together(given)
    assert {*str(refused.value.param_hint).split(" and ")} == {*hint.split(" and ")}
