"""How a running app serves many viewers, and what they cost the training.

    python -m ui.load http://localhost:8501 --page Live --viewers 25 --seconds 60

Start a run that lasts first; its pace is measured for as long without viewers, then with them.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path

from ueo_core.runs.folder import RunFolder
from ueo_core.utils.paths import runs_root
from ui.load.viewers import watch


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("address")
    parser.add_argument("--page", default="Live")
    parser.add_argument("--query", default="run=latest")
    parser.add_argument("--viewers", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    before = _pace(lambda: time.sleep(given.seconds))
    found = {}

    def load() -> None:
        found["measured"] = asyncio.run(
            watch(given.address, given.page, given.query, given.viewers, given.seconds)
        )

    during = _pace(load)
    measured = found["measured"]
    milliseconds = {
        f"tick_ms_p{round(100 * share)}": _rounded(measured.percentile(share), 1000)
        for share in (0.5, 0.95)
    }
    print(
        json.dumps(
            {
                "viewers": given.viewers,
                "ticks": len(measured.ticks),
                **milliseconds,
                "open_s_most": _rounded(max(measured.opened, default=None)),
                "kb_per_tick": _rounded(measured.received / max(1, len(measured.ticks)) / 1e3),
                "steps_per_second_without": _rounded(before),
                "steps_per_second_with": _rounded(during),
                "lost_percent": _rounded(100 * (1 - during / before)) if before else None,
            }
        )
    )


def _pace(what) -> float:
    """Steps a second of the newest run while something is done."""
    began, first = time.monotonic(), _steps()
    what()
    return (_steps() - first) / (time.monotonic() - began)


def _steps() -> int:
    found = sorted(Path(runs_root()).glob("*/events.jsonl"), key=lambda p: p.stat().st_mtime)
    if not found:
        return 0
    return max((e.get("step", 0) for e in RunFolder(found[-1].parent).events()), default=0)


def _rounded(value: float | None, scale: float = 1) -> float | None:
    return None if value is None else round(value * scale, 2)


if __name__ == "__main__":
    main()
