from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from specs import study

from study.driver.messages import Assignment, Progress, Report, StoredFile
from study.driver.retry import RetryPolicy
from study.lanes.commands import Advance, Assign, Command, Position, Quit
from study.lanes.mailbox import LaneBroken, Mailbox

RETRY = RetryPolicy()


def run(scenario: Callable[[Mailbox], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await asyncio.wait_for(scenario(Mailbox(RETRY)), 10)

    return asyncio.run(main())


def assignment(number: int = 0) -> Assignment:
    return Assignment("small", number, 1, study())


def report(number: int = 0, epoch: int = 1, outcome: Any = "running") -> Report:
    checkpoint = StoredFile(f"small/checkpoints/{number}-{epoch}", 10)
    return Report(number, outcome, epoch, 100, 1.0, 1.0, checkpoint=checkpoint)


def test_a_trial_goes_from_assignment_to_report() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        position = await mailbox.join(lane, 0, 1)
        assert position.assignment is None
        await mailbox.assign(lane, assignment())
        first = await command(mailbox, lane, position.sequence)
        assert first == Assign(assignment())
        waiting = asyncio.create_task(mailbox.advance(lane))
        assert await command(mailbox, lane, position.sequence + 1) == Advance()
        assert not waiting.done()
        await mailbox.answer(lane, position.sequence + 1, report())
        assert await waiting == report()

    run(scenario)


def test_nothing_is_commanded_before_the_last_report_is_answered() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        await mailbox.join(lane, 0, 1)
        await mailbox.assign(lane, assignment())
        waiting = asyncio.create_task(mailbox.advance(lane))
        await command(mailbox, lane, 1)
        await mailbox.answer(lane, 1, report())
        await waiting
        # The scheduler is deciding: the worker that asks on finds no command.
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(mailbox.next(lane, 2), 0.05)

    run(scenario)


def test_every_rank_reads_the_same_commands() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        joins = [asyncio.create_task(mailbox.join(lane, rank, 3)) for rank in range(2)]
        await asyncio.sleep(0)
        assert not any(join.done() for join in joins)  # the group is not whole yet
        third = await mailbox.join(lane, 2, 3)
        positions = [await join for join in joins] + [third]
        assert len({position.sequence for position in positions}) == 1
        await mailbox.assign(lane, assignment())
        advancing = asyncio.create_task(mailbox.advance(lane))
        for sequence, kind in enumerate((Assign, Advance), positions[0].sequence):
            commands = [await command(mailbox, lane, sequence) for _ in range(3)]
            assert all(type(command) is kind for command in commands)
        await mailbox.answer(lane, 1, report())
        await mailbox.answer(lane, 1, report(epoch=99))  # a second answer is not heard
        assert (await advancing).epoch == 1

    run(scenario)


async def command(mailbox: Mailbox, lane: str, sequence: int) -> Command:
    """The command of that number, which is the one asked for."""
    number, read = await mailbox.next(lane, sequence)
    assert number == sequence
    return read


async def start(mailbox: Mailbox, number: int = 0) -> str:
    """A lane whose one worker is up and has read its first trial."""
    lane = await mailbox.open()
    position = await mailbox.join(lane, 0, 1)
    await mailbox.assign(lane, assignment(number))
    assert isinstance(await command(mailbox, lane, position.sequence), Assign)
    return lane


async def advance(mailbox: Mailbox, lane: str, sequence: int, answer: Report) -> Report:
    """One command, answered by the worker."""
    waiting = asyncio.create_task(mailbox.advance(lane))
    assert await command(mailbox, lane, sequence) == Advance()
    await mailbox.answer(lane, sequence, answer)
    return await waiting


def test_a_group_that_starts_again_goes_on_from_the_last_checkpoint() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await start(mailbox)
        for sequence in (1, 2):
            await advance(mailbox, lane, sequence, report(epoch=sequence))
        waiting = asyncio.create_task(mailbox.advance(lane))
        await command(mailbox, lane, 3)
        await mailbox.died(lane, "killed")
        again = await mailbox.join(lane, 0, 1)
        assert again.sequence == 3
        assert again.last == report(epoch=2)
        assert again.assignment is not None
        assert again.assignment.checkpoint == "small/checkpoints/0-2"
        assert await command(mailbox, lane, again.sequence) == Advance()
        await mailbox.answer(lane, 3, report(epoch=3))
        assert (await waiting).epoch == 3

    run(scenario)


async def die_and_start_again(mailbox: Mailbox, lane: str) -> Position:
    await mailbox.died(lane, "killed")
    return await mailbox.join(lane, 0, 1)


def test_a_trial_whose_workers_die_too_often_fails_and_its_lane_goes_on() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await start(mailbox)
        waiting = asyncio.create_task(mailbox.advance(lane))
        await command(mailbox, lane, 1)
        for _ in range(RETRY.worker_deaths):
            assert (await die_and_start_again(mailbox, lane)).sequence == 0  # from its assignment
            assert not waiting.done()
        position = await die_and_start_again(mailbox, lane)
        answer = await waiting
        assert (answer.outcome, answer.reason) == ("failed", "its workers died 4 times")
        assert position.sequence == 2
        await mailbox.assign(lane, assignment(1))
        assert isinstance(await command(mailbox, lane, 2), Assign)
        await advance(mailbox, lane, 3, report(1))  # deaths are each trial's own

    run(scenario)


def test_deaths_in_one_lane_count_in_the_next() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        first = await start(mailbox)
        waiting = asyncio.create_task(mailbox.advance(first))
        await command(mailbox, first, 1)
        for _ in range(RETRY.worker_deaths):
            await die_and_start_again(mailbox, first)
        await mailbox.fail(first, "node lost")
        with pytest.raises(LaneBroken, match="node lost"):
            await waiting
        second = await start(mailbox)
        waiting = asyncio.create_task(mailbox.advance(second))
        await command(mailbox, second, 1)
        await mailbox.died(second, "killed")
        assert (await waiting).outcome == "failed"

    run(scenario)


def test_a_death_between_two_reports_counts_at_the_next_one() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await start(mailbox)
        await advance(mailbox, lane, 1, report())
        for _ in range(RETRY.worker_deaths + 1):  # while the scheduler decides
            position = await die_and_start_again(mailbox, lane)
            assert position.sequence == 2
        answer = await mailbox.advance(lane)
        assert (answer.outcome, answer.epoch) == ("failed", 1)

    run(scenario)


def test_a_group_that_joins_again_without_a_death_is_charged_with_none() -> None:
    """After a preemption, of which the mailbox hears nothing."""

    async def scenario(mailbox: Mailbox) -> None:
        lane = await start(mailbox)
        waiting = asyncio.create_task(mailbox.advance(lane))
        await command(mailbox, lane, 1)
        for _ in range(RETRY.worker_deaths + 1):
            assert (await mailbox.join(lane, 0, 1)).sequence == 0
        assert not waiting.done()
        await mailbox.answer(lane, 1, report())
        assert (await waiting).outcome == "running"

    run(scenario)


def test_a_lane_whose_workers_never_come_up_breaks_and_its_trial_is_not_charged() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        await mailbox.assign(lane, assignment())
        waiting = asyncio.create_task(mailbox.advance(lane))
        await asyncio.sleep(0)
        for _ in range(RETRY.worker_deaths + 1):
            await mailbox.died(lane, "No module named 'mine'")
        with pytest.raises(LaneBroken, match=r"died 4 times before .* up: No module named 'mine'"):
            await waiting
        with pytest.raises(LaneBroken):  # Ray Train starts it once more: it ends by itself
            await mailbox.join(lane, 0, 1)
        other = await start(mailbox)
        waiting = asyncio.create_task(mailbox.advance(other))
        await command(mailbox, other, 1)
        await die_and_start_again(mailbox, other)
        assert not waiting.done()
        await mailbox.answer(other, 1, report())
        await waiting

    run(scenario)


def test_workers_of_a_lane_that_is_over_may_die() -> None:
    """Its trial runs on another lane by then, and is not charged with it."""

    async def scenario(mailbox: Mailbox) -> None:
        broken = await start(mailbox)
        waiting = asyncio.create_task(mailbox.advance(broken))
        await command(mailbox, broken, 1)
        await mailbox.fail(broken, "another storage there")
        with pytest.raises(LaneBroken):
            await waiting
        other = await start(mailbox)
        waiting = asyncio.create_task(mailbox.advance(other))
        await command(mailbox, other, 1)
        for _ in range(RETRY.worker_deaths + 1):
            await mailbox.died(broken, "killed")
        assert not waiting.done()
        await mailbox.answer(other, 1, report())
        assert (await waiting).outcome == "running"

    run(scenario)


def test_those_who_wait_for_the_rest_of_their_group_hear_that_the_lane_is_broken() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        waiting = asyncio.create_task(mailbox.join(lane, 0, 2))
        await asyncio.sleep(0)
        await mailbox.fail(lane, "another storage there")
        with pytest.raises(LaneBroken, match="another storage"):
            await waiting

    run(scenario)


def test_commands_of_a_trial_that_was_answered_for_are_never_read() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await start(mailbox)
        waiting = asyncio.create_task(mailbox.advance(lane))
        await command(mailbox, lane, 1)
        for _ in range(RETRY.worker_deaths):
            await die_and_start_again(mailbox, lane)
        await mailbox.died(lane, "killed")
        assert (await waiting).outcome == "failed"
        await mailbox.assign(lane, assignment(1))
        position = await mailbox.join(lane, 0, 1)  # up only now
        number, read = await mailbox.next(lane, position.sequence)
        assert (number, read) == (2, Assign(assignment(1)))
        assert await mailbox.next(lane, 0) == (2, Assign(assignment(1)))  # a rank that was slow

    run(scenario)


def test_a_group_that_comes_up_after_its_trial_was_answered_waits_for_the_next() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        await mailbox.assign(lane, assignment())
        waiting = asyncio.create_task(mailbox.advance(lane))
        await asyncio.sleep(0)
        await mailbox.interrupt()
        assert (await waiting).outcome == "interrupted"
        assert (await mailbox.join(lane, 0, 1)).sequence == 2

    run(scenario)


def test_a_trial_moves_to_another_lane_with_its_checkpoint() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        first = await mailbox.open()
        await mailbox.join(first, 0, 1)
        await mailbox.assign(first, assignment())
        waiting = asyncio.create_task(mailbox.advance(first))
        await command(mailbox, first, 1)
        await mailbox.answer(first, 1, report())
        await waiting
        waiting = asyncio.create_task(mailbox.advance(first))
        await command(mailbox, first, 2)
        await mailbox.fail(first, "node lost")
        with pytest.raises(LaneBroken, match="node lost"):
            await waiting
        second = await mailbox.open()
        assert second != first
        position = await mailbox.join(second, 0, 1)
        await mailbox.assign(second, assignment())
        moved = await command(mailbox, second, position.sequence)
        assert isinstance(moved, Assign)
        assert moved.assignment.checkpoint == "small/checkpoints/0-1"

    run(scenario)


@pytest.mark.parametrize("heard", [True, False])
def test_a_report_that_was_lost_with_its_lane_is_handed_in_by_the_next(heard: bool) -> None:
    async def scenario(mailbox: Mailbox) -> None:
        first, second = await mailbox.open(), await mailbox.open()
        await mailbox.join(first, 0, 1)
        await mailbox.assign(first, assignment())
        waiting = asyncio.create_task(mailbox.advance(first))
        await command(mailbox, first, 1)
        waiting.cancel()  # the lane's actor is killed
        await mailbox.answer(first, 1, report())
        if heard:
            await mailbox.heard(report())
        await mailbox.join(second, 0, 1)
        await mailbox.assign(second, assignment())
        if not heard:
            assert await mailbox.advance(second) == report()
            await mailbox.heard(report())
        training = asyncio.create_task(mailbox.advance(second))
        assert await command(mailbox, second, 1) == Advance()  # it trains on from there
        await mailbox.answer(second, 1, report(epoch=2))
        assert await training == report(epoch=2)

    run(scenario)


def test_a_group_that_dies_while_joining_does_not_hold_up_the_next() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        lost = asyncio.create_task(mailbox.join(lane, 0, 2))
        await asyncio.sleep(0)
        again = asyncio.create_task(mailbox.join(lane, 0, 2))
        await asyncio.sleep(0)
        position = await mailbox.join(lane, 1, 2)
        assert await again == position
        assert lost.cancelled() or lost.done()

    run(scenario)


def test_interrupt_reaches_those_who_wait_and_answers_for_workers_not_up() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        listening = asyncio.create_task(mailbox.interrupted())
        await mailbox.assign(lane, assignment())
        waiting = asyncio.create_task(mailbox.advance(lane))
        await asyncio.sleep(0)
        await mailbox.interrupt()
        await listening
        answer = await waiting
        assert (answer.outcome, answer.epoch) == ("interrupted", 0)
        late = await mailbox.open()
        await mailbox.assign(late, assignment(1))
        assert (await mailbox.advance(late)).outcome == "interrupted"

    run(scenario)


def test_a_rest_is_over_when_another_trial_has_ended() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        await mailbox.ended(2)
        resting = asyncio.create_task(mailbox.rest(2))
        await asyncio.sleep(0)
        assert not resting.done()
        await mailbox.ended(3)
        await resting
        await mailbox.rest(2)  # it had ended before the lane came to rest
        await mailbox.ended(1)  # told late: nothing has un-ended
        await mailbox.rest(2)

    run(scenario)


def test_a_rest_is_over_when_all_are_to_stop() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        resting = asyncio.create_task(mailbox.rest(0))
        await asyncio.sleep(0)
        assert not resting.done()
        await mailbox.interrupt()
        await resting
        assert resting.done()

    run(scenario)


def test_quit_ends_a_lane_and_its_line_in_the_snapshot() -> None:
    async def scenario(mailbox: Mailbox) -> None:
        lane = await mailbox.open()
        assert [progress.state for progress in await mailbox.snapshot()] == ["starting"]
        await mailbox.join(lane, 0, 1)
        await mailbox.note(Progress(lane, "training", trial=3))
        assert [progress.trial for progress in await mailbox.snapshot()] == [3]
        await mailbox.close(lane)
        assert await command(mailbox, lane, 0) == Quit()
        await mailbox.note(Progress(lane, "training", trial=3))  # a late note
        assert await mailbox.snapshot() == []

    run(scenario)
