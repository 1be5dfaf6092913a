"""The baselines of a run: other methods and seeds on the same data with the same settings.

A learning rate that suits one method does not suit another, so that every method can choose its own.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import AUTO, Settings
from ueo_core.evaluation.selection import search_steps
from ueo_core.runs.create import create_run
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.utils.errors import UserError

MOST_BASELINE_SEEDS = 10


@dataclass(frozen=True)
class Baseline:
    """A run to compare another with."""

    settings: Settings
    title: str
    request: str  # equal for the same data, class names and settings
    run: str | None  # an existing run with this request: finished, in progress or paused


def chose_its_rate(manager: Manager, run: str) -> bool:
    """Whether a run chose its learning rate on its images."""
    return _asked(manager.folder(run)).automatic


def baselines(
    manager: Manager, run: str, methods: Iterable[str], seeds: int, own_rates: bool
) -> list[Baseline]:
    """The runs that `queue_baselines` provides, in order; nothing is queued.

    seeds: their number for each method, starting with the run's own seed; own_rates: every run
    chooses its learning rate, else all have that of the run. UserError if seeds are out of range.
    """
    if not 1 <= seeds <= MOST_BASELINE_SEEDS:
        raise UserError(f"Seeds: {seeds} is out of range; choose 1 to {MOST_BASELINE_SEEDS}.")
    base = manager.folder(run)
    config, settings = base.config, base.settings
    existing = {}
    for other in reversed(manager.ids()):  # of equal runs, the newest is used
        try:
            folder = manager.folder(other)
            if _usable(folder):
                made = _asked(folder) if own_rates else folder.settings
                existing[_request(folder.config | {"settings": made.to_json()})] = other
        except (OSError, ValueError, KeyError, UserError):  # damaged, or of another version
            continue
    found = []
    for method in dict.fromkeys((settings.method, *methods)):
        for seed in range(settings.seed, settings.seed + seeds):
            wanted = settings.changed(method=method, seed=seed)
            wanted = wanted.changed(lr=AUTO) if own_rates else wanted
            request = _request(config | {"settings": wanted.to_json()})
            title = _title(config["title"], settings, wanted)
            found.append(Baseline(wanted, title, request, existing.get(request)))
    return found


def training_seconds(manager: Manager, run: str, own_rates: bool) -> float:
    """About how long one baseline trains: as long as the run, and its search for a rate."""
    snapshot, folder = manager.snapshot(run), manager.folder(run)
    steps = steps_in_all(folder.config["pool"]["n"], folder.settings)
    return snapshot.seconds * (1 + (search_steps(steps) / steps if own_rates else 0))


def queue_baselines(
    manager: Manager, run: str, methods: Iterable[str], seeds: int, own_rates: bool
) -> list[str]:
    """Queue the missing baselines of a run, and resume paused ones. → all their ids, in order

    A second click finds the runs of the first, in progress or finished, and starts none.
    """
    base = manager.folder(run)
    config, labels, ids = base.config, base.labels(), []
    for baseline in baselines(manager, run, methods, seeds, own_rates):
        if baseline.run is None:
            folder = create_run(
                manager.new_path(),
                baseline.settings,
                config["classes"],
                config["pool"],
                labels["pool"],
                config["holdout"],
                labels["holdout"],
                title=baseline.title,
                request=baseline.request,
                synonyms=config["synonyms"],
            )
            ids.append(manager.submit(folder))
        else:
            if manager.folder(baseline.run).state["state"] == "paused":
                manager.act(baseline.run, "resume")
            ids.append(baseline.run)
    return ids


def _asked(folder: RunFolder) -> Settings:
    """A run's settings with `auto` in place of a rate that it chose."""
    automatic = folder.config["settings"].get("lr") == AUTO
    return folder.settings.changed(lr=AUTO) if automatic else folder.settings


def _usable(folder: RunFolder) -> bool:
    """Whether the run has completed, or can still complete, all its steps."""
    state = folder.state
    if state["state"] == "finished":
        return state["step"] == state["steps"]
    return state["state"] in ("queued", "running", "paused")


def _request(config: dict) -> str:
    """An id of a run's data, class names and settings; its title and folder do not count."""
    settings = Settings.from_json(config["settings"]).to_json()
    data = [config[part] and config[part]["fingerprint"] for part in ("pool", "holdout")]
    further = [config["synonyms"]] if config["synonyms"] else []
    text = json.dumps([data, config["classes"], settings, *further], sort_keys=True)
    return f"baseline-{sha256(text.encode('utf-8')).hexdigest()[:24]}"


def _title(title: str, old: Settings, new: Settings) -> str:
    """The title of the run with the method and the seed replaced."""
    stem = title.removeprefix(f"{METHODS[old.method].title} · ").removesuffix(f" · seed {old.seed}")
    seed = f" · seed {new.seed}" if new.seed != old.seed else ""
    return f"{METHODS[new.method].title} · {stem}{seed}"
