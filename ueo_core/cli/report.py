"""`report`: a run as one HTML file that can be mailed."""

import argparse

from ueo_core.cli.progress import Ticker
from ueo_core.report.html import write_report
from ueo_core.runs.folder import RunFolder


def report(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    size = write_report(args.out, RunFolder.open(args.run))
    return [f"report in {args.out} ({size / 1e6:.1f} MB)"], {"out": str(args.out), "bytes": size}
