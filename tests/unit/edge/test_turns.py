"""Work for many connections is spread over the turns of the loop."""

import asyncio

from service.edge.turns import AT_ONCE, Turns


async def test_a_turn_does_a_few_pieces_in_order_and_others_come_between() -> None:
    turns, done = Turns(), asyncio.Event()
    order: list[int | str] = []
    loop = asyncio.get_running_loop()

    def piece(number: int) -> None:
        order.append(number)
        if number == AT_ONCE - 1:
            loop.call_later(0, order.append, "timer")
        if number == 3 * AT_ONCE - 1:
            done.set()

    for number in range(3 * AT_ONCE):
        turns.add(lambda number=number: piece(number))  # type: ignore[misc]  # bound at once
    assert order == []
    await done.wait()
    assert [one for one in order if one != "timer"] == list(range(3 * AT_ONCE))
    assert AT_ONCE <= order.index("timer") <= 2 * AT_ONCE


async def test_work_that_is_added_by_work_is_done_as_well() -> None:
    turns, done = Turns(), asyncio.Event()
    turns.add(lambda: turns.add(done.set))
    await done.wait()
