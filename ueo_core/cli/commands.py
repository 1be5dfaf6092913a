"""What each command does: (arguments, ticker) → (lines for a person, data for a script)."""

import argparse
import json
import signal
import threading
import time
from typing import Any

from ueo_core.cli.model_io import ask, ask_with_negatives, named_adapter_file, threshold_of
from ueo_core.cli.output import write_predictions
from ueo_core.cli.parser import chosen_settings
from ueo_core.cli.predict_parts import predict_parts, refuse_without_parquet
from ueo_core.cli.progress import Ticker
from ueo_core.cli.sources import labels_of, scoring_only, take_in_pool
from ueo_core.config import presets
from ueo_core.config.presets import DEFAULT_PRESET
from ueo_core.config.settings import Settings
from ueo_core.data.class_list import read_class_names
from ueo_core.data.store import Store
from ueo_core.drawings.sample import problem, write_drawings, write_sample
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.inference.predictions import Predictions
from ueo_core.runs.control import Control
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.extend import queue_up
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.lock import RunLock
from ueo_core.runs.snapshot import Snapshot, read_snapshot
from ueo_core.utils.durations import clock
from ueo_core.utils.errors import UserError

Result = tuple[list[str], dict]


def drawings(args: argparse.Namespace, tick: Ticker) -> Result:
    several = args.classes and "," in args.classes
    classes = read_class_names(args.classes).alone("`drawings`") if several else None
    if args.classes and classes is None:
        classes = [args.classes.strip()]
    n = write_drawings(
        args.out,
        args.domain,
        args.per_class,
        args.seed,
        classes,
        args.size,
        lambda done, total: tick(f"{done} of {total} drawn"),
    )
    return [f"{n} images in {args.out}"], {"out": str(args.out), "images": n, "domain": args.domain}


def sample(args: argparse.Namespace, tick: Ticker) -> Result:
    chosen = problem(args.shift, args.seed, args.domain)
    counts = write_sample(args.out, chosen, lambda done, total: tick(f"{done} of {total} drawn"))
    data = {
        "out": str(args.out),
        "shift": args.shift,
        "seed": args.seed,
        "domain": args.domain,
        "classes": list(chosen.classes),
        **counts,
    }
    return [f"{counts['pool']} pool and {counts['test']} test images in {args.out}"], data


def backbones(args: argparse.Namespace, tick: Ticker) -> Result:
    from ueo_core.models.catalog import available

    rows = available(every=args.all)
    lines = [
        f"{'here    ' if r['available'] else 'download'}  {r['name']:<28} {r['pretrained']:<12} {r['about']}"
        for r in rows
    ]
    return lines, {"backbones": rows}


def settings_of(args: argparse.Namespace) -> Settings:
    """The recommended preset with the options that were given over it."""
    return presets.preset(DEFAULT_PRESET, **chosen_settings(args))


def adapt(args: argparse.Namespace, tick: Ticker) -> Result:
    from ueo_core.models import backbones as registry
    from ueo_core.models.adapted_clip import AdaptedCLIP
    from ueo_core.models.class_texts import ClassTexts

    settings = settings_of(args)
    given = read_class_names(args.classes)
    classes = given.names
    # Bad arguments are refused before the first image is read.
    backbone = registry.load(settings.backbone, settings.pretrained, settings.device)
    texts = ClassTexts(classes, settings.prompt, settings.templates, given.synonyms)
    texts.check_lengths(backbone)
    texts.check_distinct(backbone)
    store = Store(args.store, backbone.store_side, args.srgb)
    model = AdaptedCLIP(
        backbone, classes, settings.prompt, templates=settings.templates, synonyms=given.synonyms
    )
    images, report, sample = take_in_pool(args, store, model, settings.seed, tick)
    del backbone, model
    from ueo_core.training.loop import check_pool

    check_pool(len(images))
    scoring, labels = scoring_only(args, store, images, classes, tick)
    told = [line for found in labels.values() for line in found.lines()]
    if sample is not None:
        told.insert(0, sample.reason)
    for line in (
        *given.remarks,
        *told,
    ):  # before the run, while it can still be ended and corrected
        tick.note(line)
    pool = reference(store, images) | ({"sample": sample.to_json()} if sample else {})
    folder = create_run(args.out, settings, classes, pool, synonyms=given.synonyms, **scoring)
    lines, data = carry_out(folder, tick, skipped=len(report.skipped))
    data["remarks"] = given.remarks
    data |= {"sample": sample.to_json()} if sample else {}
    data |= {"labels": {part: found.to_json() for part, found in labels.items()}} if labels else {}
    if data["state"] == "finished":
        result = json.loads((folder.path / "result.json").read_bytes())
        data["guard"] = result["guard"]
        lines += [f"safety check: {result['guard']['reason']}"] if result["guard"] else []
        if scoring:
            data["metrics"] = result["metrics"]
        for part, scores in result["metrics"].items():
            lines += [f"on the {part}, last epoch:", *score_lines(scores)]
    return lines, data


def resume(args: argparse.Namespace, tick: Ticker) -> Result:
    folder = RunFolder.open(args.run)
    return carry_out(folder, tick, epochs=args.epochs)


def carry_out(
    folder: RunFolder, tick: Ticker, skipped: int = 0, epochs: int | None = None
) -> Result:
    """Run to the end in this process; Ctrl-C or a TERM signal pauses after a checkpoint.

    epochs: further epochs for a finished run. A second signal ends the process at once.
    """
    with RunLock(folder.path):
        queue_up(folder, epochs)
        return _carry_out(folder, tick, skipped)


def _carry_out(folder: RunFolder, tick: Ticker, skipped: int) -> Result:
    from ueo_core.runs.worker import execute, peak_memory_mb

    control = Control(
        why="Interrupted from the keyboard or by a signal: resume to continue from here."
    )
    live: list[Snapshot] = [read_snapshot(folder)]

    def show(event: dict) -> None:
        if event["kind"] == "state":
            live[0] = live[0].with_state(event["state"])
            return
        live[0] = now = live[0].applied(event)
        if event["kind"] == "step":
            tick(
                f"step {now.step} of {now.steps}  loss {event['loss']:.4f}  {clock(now.seconds_left)} left"
            )
        elif event["kind"] == "phase" and event["total"]:
            tick(f"{event['phase']} {event['done']} of {event['total']}")

    if threading.current_thread() is threading.main_thread():

        def halt(number: int, frame) -> None:
            if control.pause.is_set():
                raise KeyboardInterrupt
            control.pause.set()

        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, halt)
    began = time.monotonic()
    state = execute(folder, control, show)
    seconds = time.monotonic() - began
    if state["state"] == "failed":
        raise UserError(state["reason"])
    if state["state"] == "paused" and control.pause.is_set():
        raise KeyboardInterrupt
    now = live[0]
    steps = state["step"]
    data = {
        "run": str(folder.path),
        "state": state["state"],
        "steps": steps,
        "seconds": round(seconds, 2),
        "images_per_second": round(now.images_per_second or 0, 2),
        "peak_memory_mb": peak_memory_mb(),
        "images": now.images,
        "skipped": skipped,
        "notes": list(now.notes),
    }
    lines = [
        *now.notes,
        f"{state['state']}: {steps} steps over {now.images} images in {seconds:.1f} s "
        f"({data['images_per_second']:.0f} images/s); run in {folder.path}",
    ]
    return lines, data


def evaluate(args: argparse.Namespace, tick: Ticker) -> Result:
    from ueo_core.evaluation.metrics import OOD, UNLABELED, truth_from_labels
    from ueo_core.evaluation.metrics import evaluate as score_all

    if args.score not in SCORES:
        raise UserError(f"Score “{args.score}”: not known; choose one of {', '.join(SCORES)}.")
    adapter_file = named_adapter_file(args)
    images, _, cosines = ask(args, adapter_file, tick, baselines=True)
    classes, scale = adapter_file.classes, adapter_file.logit_scale
    labels = labels_of(images, args.labels, classes)
    truth = truth_from_labels(labels.names, classes)
    if (truth == UNLABELED).all():
        raise UserError(
            f"Source “{args.source}”: its images are in no subfolder, so none has a label; "
            "sort them into one folder per class, give --labels, or use `predict`."
        )
    data: dict[str, Any] = {
        which: score_all(values, truth, classes, scale, args.score)
        for which, values in cosines.items()
    }
    # What evidence without labels recommends; "guarded" is its older name, there only if it differs.
    data["recommended"] = data.get("guarded", data["adapted"])
    data |= {
        "n_id": int((truth >= 0).sum()),
        "n_ood": int((truth == OOD).sum()),
        "score": args.score,
    }
    data["temperature"] = SCORES[args.score].temperature(scale)
    data |= {"suggestions": labels.suggestions, **labels.to_json()}
    data["guard"] = adapter_file.guard
    lines = [
        f"{data['n_id']} ID and {data['n_ood']} OOD images; {args.score} ({data['temperature']})",
        *score_lines({which: data[which] for which in cosines}),
    ]
    return [*lines, *labels.lines()], data


def score_lines(scores: dict[str, dict]) -> list[str]:
    """One line per model with its metrics, in percent; a dash where there is no OOD image."""

    def show(value: float | None) -> str:
        return "   –" if value is None else f"{value:5.1f}"

    return [
        f"{which:>9}  ACC {show(m['acc'])}  AUC {show(m['auc'])}  HM {show(m['hm'])}  FPR95 {show(m['fpr95'])}"
        for which, m in scores.items()
    ]


def predict(args: argparse.Namespace, tick: Ticker) -> Result:
    if args.parquet is not None:
        return predict_parts(args, tick)
    refuse_without_parquet(args)
    adapter_file = named_adapter_file(args)
    limit = threshold_of(args, adapter_file)
    words: list[str] = []
    if args.negatives is None:
        images, report, cosines = ask(args, adapter_file, tick)
        predictions = Predictions.of_images(
            images, cosines["adapted"], adapter_file.classes, adapter_file.logit_scale
        )
    else:
        report, predictions, words = ask_with_negatives(args, adapter_file, tick)
    threshold = predictions.unsupervised_threshold(limit) if args.threshold is None else limit
    unknown = write_predictions(predictions, args.csv, threshold, args.excel)
    data = {
        "csv": str(args.csv),
        "images": len(predictions.files),
        "duplicates": report.duplicates,
        "duplicate_names": report.to_json()["duplicate_names"],
        "unknown": unknown,
        "threshold": threshold,
        "score": predictions.score_name,
        "skipped": [vars(s) for s in report.skipped],
    }
    data |= {"negatives": words} if words else {}
    copies = f" ({report.duplicates} are copies of another)" if report.duplicates else ""
    by = f" of NegLabel with {len(words)} negative words" if words else ""
    return [
        f"{data['images']} images{copies}, {unknown} of them unknown at {threshold:.6f}{by}, in {args.csv}"
    ], data


def pretrain(args: argparse.Namespace, tick: Ticker) -> Result:
    from ueo_core.drawings.pretrain import PretrainSettings
    from ueo_core.drawings.pretrain import pretrain as run
    from ueo_core.models.backbones import ASSETS

    settings = PretrainSettings(
        images=args.images, steps=args.steps, patch_dropout=args.patch_dropout, seed=args.seed
    )
    records = []
    for record in run(ASSETS / f"{args.name}.json", args.out, settings):
        records.append(record)
        with open(args.out.with_suffix(".log"), "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        tick(json.dumps(record))
    return [json.dumps(records[-2]), str(args.out)], {"out": str(args.out), "records": records}
