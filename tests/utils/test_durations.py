import pytest

from ueo_core.utils.durations import clock, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 second"),
        (41.6, "42 seconds"),
        (89.4, "89 seconds"),
        (90, "2 minutes"),
        (5399, "90 minutes"),
        (9000, "2.5 hours"),
    ],
)
def test_a_rough_time_in_words(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7619, "2 h 06 min"),
    ],
)
def test_a_counted_time(seconds, text):
    assert clock(seconds) == text
