"""`gpu-check`: does this GPU give what the CPU gives, and how fast is it?"""

import argparse

from ueo_core.cli.progress import Ticker


def gpu_check(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    from ueo_core.bench.gpu import check, report

    result = check.gpu_check(args.minutes, tick)
    lines = report.markdown(result)
    if args.out:
        check.write(result, lines, args.out)
        lines.append(f"gpu-check.json and gpu-check.md in {args.out}")
    return lines, result
