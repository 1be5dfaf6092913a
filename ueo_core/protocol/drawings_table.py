"""The README's table: the protocol on the built-in problem, drawn anew for every seed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.drawings.sample import SHIFTS, Problem, problem
from ueo_core.drawings.stored import ingest_problem
from ueo_core.evaluation.metrics import truth_from_labels
from ueo_core.models import backbones
from ueo_core.protocol.category_shift import Case, Part
from ueo_core.protocol.plan import Plan, PlannedCase
from ueo_core.protocol.runner import Progress, carry_out
from ueo_core.protocol.tables import write_table
from ueo_core.training.ranks import Ranks


def drawn_case(chosen: Problem, store: Store) -> Case:
    """A problem as a case: every pool image is trained on, every test image tested on."""
    sets, labels = ingest_problem(chosen, store, chosen.domain)
    parts = {
        part: Part(images, np.arange(len(images)), truth_from_labels(labels[part], chosen.classes))
        for part, images in sets.items()
    }
    return Case(chosen.shift, chosen.seed, chosen.classes, parts["pool"], parts["test"])


def drawings_rows(
    names: Sequence[str],
    shift: str,
    seeds: Sequence[int],
    domain: str,
    variants: Sequence[str],
    out: Path,
    chosen: dict | None = None,
    progress: Progress = lambda done, total, what: None,
    check: Callable[[], None] = lambda: None,
    ranks: Ranks | None = None,
) -> list[dict]:
    """Rows of the teaching models `names` on a shift or `all`; OUT/<model> keeps those of each.

    chosen: settings over each model's preset. What OUT holds already is not done again.
    ranks: as in `carry_out`.
    """
    shifts = tuple(SHIFTS) if shift == "all" else (shift,)
    found: list[dict] = []
    for place, name in enumerate(names):
        backbone = backbones.load(name)
        store = Store(out / "images", backbone.store_side)
        cases = []
        for kind in shifts:
            for seed in seeds:
                drawn = problem(kind, seed, domain)

                def make(drawn: Problem = drawn, store: Store = store) -> Case:
                    return drawn_case(drawn, store)

                cases.append(PlannedCase(kind, seed, make, len(drawn.pool), len(drawn.test)))
        settings = Settings.for_backbone(name, **(chosen or {}))
        plan = Plan(
            settings, frozenset(chosen or {}), tuple(variants), tuple(cases), {"drawings": domain}
        )

        def tell(done: int, total: int, what: str, name: str = name, place: int = place) -> None:
            # The models cost about the same, so each counts as one part of the whole.
            progress(place * total + done, len(names) * total, f"{name}: {what}")

        found += carry_out(plan, backbone, out / name, tell, check, ranks)
        if not ranks or ranks.rank == 0:
            write_table(out, found)
    return found
