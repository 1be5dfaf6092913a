"""Durations as text: rough in a sentence, exact on a clock."""


def duration(seconds: float) -> str:
    """A rough time in words: 40 seconds, 3 minutes, 2.5 hours."""
    if seconds < 90:
        rounded = max(1, round(seconds))
        return f"{rounded} second{'s' * (rounded != 1)}"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def clock(seconds: float | None) -> str:
    """A time that is counted, 12 s, 3 min 05 s, 2 h 07 min; a dash where there is no estimate."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
