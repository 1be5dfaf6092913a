"""What a protocol compares on what: the methods, their settings, and the cases by their sizes."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.config.methods import METHODS, VARIANTS
from ueo_core.config.settings import DRAWINGS_PRESETS, Settings
from ueo_core.evaluation.selection import search_steps
from ueo_core.protocol.benchmarks import LARGE
from ueo_core.protocol.category_shift import Case, LabeledFolder
from ueo_core.utils.errors import UserError

BACKWARD = 3  # a training image costs about as much as three that are only encoded
SMALL = 40  # images' worth of time of a method on cached features


@dataclass(frozen=True)
class PlannedCase:
    """A case by its sizes, which estimate its time; `make` returns the case when its turn comes."""

    shift: str
    seed: int
    make: Callable[[], Case]
    pool: int
    test: int


@dataclass(frozen=True)
class Plan:
    """What is compared on what."""

    settings: Settings  # of UEO; every method starts from them
    given: frozenset[str]  # settings that a person chose, which no method's own defaults replace
    variants: tuple[str, ...]  # keys of VARIANTS
    cases: tuple[PlannedCase, ...]
    data: dict  # what identifies the images and how they are split, for continuing in OUT

    def settings_for(self, name: str, planned: PlannedCase) -> Settings:
        """A variant's settings: its ablation over what was given over its paper's over UEO's."""
        variant = VARIANTS[name]
        own = dict(METHODS[variant.method].settings) if variant.method else {}
        if planned.pool > LARGE and self.settings.epochs == Settings.epochs:
            own["epochs"] = 5  # the paper's, where 50 passes would be millions of images
        # A teaching model is small: its preset's rate and epochs are in place of a method's own rate
        # and epochs. Own epochs without a rate go with rates that the method's module holds.
        preset = DRAWINGS_PRESETS.get(self.settings.backbone, ()) if "lr" in own else ()
        kept = self.given | set(preset)
        if self.settings.automatic and variant.method and METHODS[variant.method].on_features:
            kept -= {"lr"}  # there is no loop in which a rate could be chosen
        chosen = {k: v for k, v in own.items() if k not in kept}
        return self.settings.changed(
            method=variant.method or "ueo", seed=planned.seed, **(chosen | dict(variant.changes))
        )

    def chooses_rate(self, name: str, planned: PlannedCase) -> bool:
        """Whether a row chooses its learning rate on its pool, without labels."""
        method = METHODS.get(VARIANTS[name].method or "")
        trains = method is not None and not method.on_features
        return trains and self.settings_for(name, planned).automatic

    def cost(self, name: str, planned: PlannedCase) -> int:
        """The approximate cost of a row, in images encoded."""
        method = METHODS.get(VARIANTS[name].method or "")
        if method is None or method.on_features:
            return SMALL
        settings = self.settings_for(name, planned)
        passes: float = 1 if settings.mode == "quick" else BACKWARD * settings.epochs
        if self.chooses_rate(name, planned):
            steps = steps_in_all(planned.pool, settings)
            passes *= 1 + search_steps(steps) / steps
        return round(passes * planned.pool) + planned.pool + planned.test


def folder_plan(
    folder: LabeledFolder,
    shifts: Sequence[str],
    seeds: Sequence[int],
    variants: Sequence[str],
    settings: Settings,
    given: frozenset[str] = frozenset(),
) -> Plan:
    """A plan over the shifts of a labeled folder. UserError for a method or a shift that is not possible."""
    cases = []
    for shift in shifts:
        for seed in seeds:
            case = folder.case(shift, seed)  # indices only; its sizes are needed now

            def make(case: Case = case) -> Case:
                return case

            cases.append(PlannedCase(shift, seed, make, len(case.pool), len(case.test)))
    labels = hashlib.sha256("\n".join(label or "" for label in folder.labels).encode()).hexdigest()
    data = {
        "images": folder.images.fingerprint,
        "labels": labels,
        "classes": list(folder.classes),
        "pool_classes": list(folder.pool_classes),
        "test_share": folder.test_share,
    }
    return Plan(settings, given, check_variants(variants), tuple(cases), data)


def check_variants(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, each once; UserError for one that is none."""
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise UserError(
            f"Method “{', '.join(unknown)}”: not known; choose one of {', '.join(VARIANTS)}."
        )
    return tuple(dict.fromkeys(names))
