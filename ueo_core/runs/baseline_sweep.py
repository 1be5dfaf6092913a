"""The baselines of a run: other methods and seeds on the same data with the same settings."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
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


def baselines(manager: Manager, run: str, methods: Iterable[str], seeds: int) -> list[Baseline]:
    """The runs that `queue_baselines` provides, in order; nothing is queued.

    seeds: their number for each method, starting with the run's own seed. UserError if out of range.
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
                existing[_request(folder.config | {"settings": folder.settings.to_json()})] = other
        except (OSError, ValueError, KeyError, UserError):  # damaged, or of another version
            continue
    found = []
    for method in dict.fromkeys((settings.method, *methods)):
        for seed in range(settings.seed, settings.seed + seeds):
            wanted = settings.changed(method=method, seed=seed)
            request = _request(config | {"settings": wanted.to_json()})
            title = _title(config["title"], settings, wanted)
            found.append(Baseline(wanted, title, request, existing.get(request)))
    return found


def queue_baselines(manager: Manager, run: str, methods: Iterable[str], seeds: int) -> list[str]:
    """Queue the missing baselines of a run, and resume paused ones. → all their ids, in order

    A second click finds the runs of the first, in progress or finished, and starts none.
    """
    base = manager.folder(run)
    config, labels, ids = base.config, base.labels(), []
    for baseline in baselines(manager, run, methods, seeds):
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
    return f"rival-{sha256(text.encode('utf-8')).hexdigest()[:24]}"


def _title(title: str, old: Settings, new: Settings) -> str:
    """The title of the run with the method and the seed replaced."""
    stem = title.removeprefix(f"{METHODS[old.method].title} · ").removesuffix(f" · seed {old.seed}")
    seed = f" · seed {new.seed}" if new.seed != old.seed else ""
    return f"{METHODS[new.method].title} · {stem}{seed}"
