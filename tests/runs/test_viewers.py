"""The controls: one viewer at a time has them, until it releases them or leaves."""

import pytest

from ueo_core.runs.viewers import GONE_AFTER, ViewerRole, Viewers
from ueo_core.utils.errors import UserError


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def viewers(clock):
    return Viewers(lambda: clock[0])


def test_a_single_viewer_has_the_controls(viewers):
    assert viewers.watch("a") == ViewerRole(steers=True, free=False, others=0)
    viewers.take("a")


def test_a_second_viewer_cannot_take_the_controls(viewers):
    viewers.watch("a")
    assert viewers.watch("b") == ViewerRole(steers=False, free=False, others=1)
    with pytest.raises(UserError, match="release them there"):
        viewers.take("b")
    assert viewers.watch("a").steers


def test_released_controls_are_free_until_a_viewer_takes_them(viewers):
    viewers.watch("a"), viewers.watch("b")
    viewers.hand_over("b")  # it does not have them
    assert viewers.watch("a").steers
    viewers.hand_over("a")
    assert viewers.watch("b") == ViewerRole(steers=False, free=True, others=1)
    viewers.take("b")
    assert viewers.watch("b").steers and not viewers.watch("a").steers


def test_a_viewer_that_has_left_loses_the_controls(viewers, clock):
    viewers.watch("a"), viewers.watch("b"), viewers.watch("c")
    clock[0] = GONE_AFTER - 1
    viewers.watch("b")
    assert not viewers.watch("c").free  # a silent tab has not left yet
    clock[0] = GONE_AFTER + 1
    assert viewers.watch("b") == ViewerRole(steers=False, free=True, others=1)
    clock[0] = 3 * GONE_AFTER
    assert viewers.watch("c").steers  # alone again
