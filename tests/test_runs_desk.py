"""Who steers: one viewer at a time, handed over or left, never grabbed."""

import pytest

from ueo_core.errors import UserError
from ueo_core.runs.desk import GONE_AFTER, Desk, Seat


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def desk(clock):
    return Desk(lambda: clock[0])


def test_whoever_is_alone_steers(desk):
    assert desk.watch("a") == Seat(steers=True, free=False, others=0)
    desk.take("a")


def test_a_second_viewer_watches_and_cannot_grab(desk):
    desk.watch("a")
    assert desk.watch("b") == Seat(steers=False, free=False, others=1)
    with pytest.raises(UserError, match="hand the controls over"):
        desk.take("b")
    assert desk.watch("a").steers


def test_handed_over_it_is_free_until_someone_takes_it(desk):
    desk.watch("a"), desk.watch("b")
    desk.hand_over("b")  # not its to give
    assert desk.watch("a").steers
    desk.hand_over("a")
    assert desk.watch("b") == Seat(steers=False, free=True, others=1)
    desk.take("b")
    assert desk.watch("b").steers and not desk.watch("a").steers


def test_a_viewer_that_is_gone_leaves_the_controls_behind(desk, clock):
    desk.watch("a"), desk.watch("b"), desk.watch("c")
    clock[0] = GONE_AFTER - 1
    desk.watch("b")
    assert not desk.watch("c").free  # a silent tab has not left yet
    clock[0] = GONE_AFTER + 1
    assert desk.watch("b") == Seat(steers=False, free=True, others=1)
    clock[0] = 3 * GONE_AFTER
    assert desk.watch("c").steers  # alone again
