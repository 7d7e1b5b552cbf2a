"""Names and texts whose events are on their way into the log."""

from __future__ import annotations

from service.domain.events.lobby import LobbyJoined
from service.domain.personal_data import PersonalData, Text
from service.domain.projections.world import World
from service.fanout.audience import ListChanged, UserChanged
from service.fanout.profiles import Profiles
from service.fanout.rules import renamed


def data(name: str = "Ana") -> PersonalData:
    return PersonalData(names={"7": name}, texts={"c1": Text("salt", "hello")})


def test_expected_data_is_known_before_it_is_committed() -> None:
    profiles = Profiles()
    expectation = profiles.expect(data())
    assert (profiles.name(7), profiles.texts) == ("Ana", {"c1": "hello"})
    assert list(profiles.expected.values()) == [data()]
    expectation.settle(is_committed=True)
    assert (profiles.name(7), profiles.texts, profiles.expected) == ("Ana", {"c1": "hello"}, {})


def test_expected_data_that_is_not_committed_is_forgotten() -> None:
    profiles = Profiles(names={7: "Anna", 8: "Ben"}, texts={"c0": "hi"})
    profiles.expect(data()).settle(is_committed=False)
    assert profiles == Profiles(names={7: "Anna", 8: "Ben"}, texts={"c0": "hi"})
    unnamed = Profiles()
    unnamed.expect(data()).settle(is_committed=False)
    assert unnamed == Profiles()


def test_a_name_that_is_not_committed_does_not_undo_a_later_one() -> None:
    profiles = Profiles(names={7: "Ana"})
    first, second = profiles.expect(data("Anna")), profiles.expect(data("Anne"))
    second.settle(is_committed=True)
    first.settle(is_committed=False)
    assert profiles.name(7) == "Anne"


def test_equal_data_of_two_commands_is_expected_twice() -> None:
    profiles = Profiles()
    first, second = profiles.expect(data()), profiles.expect(data())
    first.settle(is_committed=True)
    assert list(profiles.expected.values()) == [data()]
    second.settle(is_committed=True)
    assert profiles.expected == {}


def test_a_user_is_renamed_by_another_name_only() -> None:
    profiles = Profiles(names={7: "Ana"})
    assert profiles.expect(data("Ana")).renamed == []
    assert profiles.expect(data("Anna")).renamed == [7]


def test_a_new_name_is_shown_in_the_lists_that_the_user_is_in() -> None:
    world = World()
    assert list(renamed(7, world)) == [ListChanged("user:list"), UserChanged(7)]
    world.fold(LobbyJoined(user=7, socket="n1.1.1"), 1)
    assert list(renamed(7, world))[2:] == [ListChanged("lobby:list")]
