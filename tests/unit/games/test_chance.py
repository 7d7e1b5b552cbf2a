from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.games.chance import Chance

STATES = st.integers(0, 2**64 - 1)


def throws(seed: int, count: int) -> list[bool]:
    chance = Chance(seed)
    return [chance.flip() for _ in range(count)]


@pytest.mark.parametrize(
    ("seed", "published"),
    [
        (
            0,
            [
                0xE220A8397B1DCDAF,
                0x6E789E6AA1B965F4,
                0x06C45D188009454F,
                0xF88BB8A8724C81EC,
                0x1B39896A51A8749B,
            ],
        ),
        (
            1234567,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423,
                4593380528125082431,
                16408922859458223821,
            ],
        ),
    ],
)
def test_the_numbers_are_those_of_splitmix64_as_it_is_published(
    seed: int, published: list[int]
) -> None:
    chance = Chance(seed)
    assert [chance.next_64_bits() for _ in published] == published
    assert throws(seed, len(published)) == [number >= 2**63 for number in published]


@given(STATES, st.integers(0, 50))
def test_a_generator_restored_from_json_continues_identically(seed: int, before: int) -> None:
    chance = Chance(seed)
    for _ in range(before):
        chance.flip()
    again = msgspec.json.decode(msgspec.json.encode(chance), type=Chance)
    assert again == chance
    assert [again.next_64_bits() for _ in range(20)] == [chance.next_64_bits() for _ in range(20)]


@given(STATES)
def test_the_numbers_and_the_state_stay_within_64_bits(seed: int) -> None:
    chance = Chance(seed)
    for _ in range(10):
        assert 0 <= chance.next_64_bits() < 2**64
        assert 0 <= chance.state < 2**64


@given(st.integers())
def test_any_integer_is_a_seed_modulo_64_bits(seed: int) -> None:
    assert throws(seed, 20) == throws(seed % 2**64, 20)


@pytest.mark.parametrize("seed", [0, 1, 42, 2**63, 2**64 - 1])
def test_a_sequence_of_flips_is_roughly_fair_and_independent(seed: int) -> None:
    sides = throws(seed, 10_000)
    assert 4_800 < sum(sides) < 5_200
    assert 4_800 < sum(one != other for one, other in pairwise(sides)) < 5_200


def test_the_first_flips_of_adjacent_seeds_are_roughly_fair() -> None:
    sides = [Chance(seed).flip() for seed in range(10_000)]
    assert 4_800 < sum(sides) < 5_200
