"""Who steers: one viewer at a time, handed over or left, never grabbed."""

import pytest

from ueo_core.runs.viewers import GONE_AFTER, ViewerRole, Viewers
from ueo_core.utils.errors import UserError


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def viewers(clock):
    return Viewers(lambda: clock[0])


def test_whoever_is_alone_steers(viewers):
    assert viewers.watch("a") == ViewerRole(steers=True, free=False, others=0)
    viewers.take("a")


def test_a_second_viewer_watches_and_cannot_grab(viewers):
    viewers.watch("a")
    assert viewers.watch("b") == ViewerRole(steers=False, free=False, others=1)
    with pytest.raises(UserError, match="hand the controls over"):
        viewers.take("b")
    assert viewers.watch("a").steers


def test_handed_over_it_is_free_until_someone_takes_it(viewers):
    viewers.watch("a"), viewers.watch("b")
    viewers.hand_over("b")  # not its to give
    assert viewers.watch("a").steers
    viewers.hand_over("a")
    assert viewers.watch("b") == ViewerRole(steers=False, free=True, others=1)
    viewers.take("b")
    assert viewers.watch("b").steers and not viewers.watch("a").steers


def test_a_viewer_that_is_gone_leaves_the_controls_behind(viewers, clock):
    viewers.watch("a"), viewers.watch("b"), viewers.watch("c")
    clock[0] = GONE_AFTER - 1
    viewers.watch("b")
    assert not viewers.watch("c").free  # a silent tab has not left yet
    clock[0] = GONE_AFTER + 1
    assert viewers.watch("b") == ViewerRole(steers=False, free=True, others=1)
    clock[0] = 3 * GONE_AFTER
    assert viewers.watch("c").steers  # alone again
