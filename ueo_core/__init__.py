"""UEO Studio's core: adapt CLIP to unlabeled images with Universal Entropy Optimization.

This is the public face that the app uses. Names are imported on first use, so that
`import ueo_core` costs nothing and a page paints before torch is loaded.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "ueo_core.classes": ("parse_class_names", "read_class_names"),
    "ueo_core.commandline": ("command_line",),
    "ueo_core.datasets": (
        "Dataset",
        "create_dataset",
        "delete_dataset",
        "list_datasets",
        "open_dataset",
        "sample_dataset",
        "unused_sets",
    ),
    "ueo_core.drawings.nouns": ("NOUNS",),
    "ueo_core.drawings.render": ("DOMAINS", "SOURCE_DOMAIN", "render"),
    "ueo_core.drawings.sample": ("DEFAULT_SHIFT", "SHIFTS", "SHOWCASE_DOMAIN", "problem"),
    "ueo_core.errors": ("UserError",),
    "ueo_core.estimate": ("Estimate", "estimate_time"),
    "ueo_core.home": ("runs_root", "store_root", "studio_home"),
    "ueo_core.images": (
        "IntakeReport",
        "Limits",
        "Store",
        "csv_labels",
        "folder_labels",
        "map_folders",
    ),
    "ueo_core.images.limits": ("LIMITS_EXAMPLE",),
    "ueo_core.jobs": ("Job", "Jobs"),
    "ueo_core.learn.why": ("WHY",),
    "ueo_core.machine": ("Machine", "this_machine"),
    "ueo_core.methods": ("METHODS",),
    "ueo_core.metrics": ("OOD", "confusion", "evaluate"),
    "ueo_core.presets": ("DEFAULT_PRESET", "PRESETS", "preset"),
    "ueo_core.report.checkpoints": ("checkpoint_steps", "score_checkpoints", "unscored_steps"),
    "ueo_core.report.classes": (
        "class_changes",
        "confused_pairs",
        "confusion_cell",
        "confusion_rows",
    ),
    "ueo_core.report.compare": (
        "Contender",
        "Model",
        "Row",
        "cautions",
        "differences",
        "groups",
        "labels",
        "models",
        "names",
        "open_contender",
        "parts_of",
        "table",
    ),
    "ueo_core.report.compare_choice": (
        "MOST",
        "Entry",
        "catalogue",
        "entry",
        "entry_labels",
        "latest_together",
    ),
    "ueo_core.report.compare_curves": ("CURVES", "curves"),
    "ueo_core.report.compare_images": ("differing", "pair_views"),
    "ueo_core.report.compare_tests": (
        "ACCURACY_TEST",
        "INTERVAL",
        "Paired",
        "against",
        "holm",
        "mcnemar",
        "summary",
    ),
    "ueo_core.report.gallery": ("best_answers", "gallery_views", "truth_sentence"),
    "ueo_core.report.groups": ("COLOURED", "colourings", "frequent_classes", "map_groups"),
    "ueo_core.report.hand_estimates": ("FEWEST", "Estimates", "estimate", "judge_by_hand"),
    "ueo_core.report.hand_labels": (
        "UNCLEAR",
        "HandLabels",
        "candidates",
        "hand_labels_stamp",
        "load_hand_labels",
        "save_hand_labels",
    ),
    "ueo_core.report.histograms": ("data_range", "digits", "histogram"),
    "ueo_core.report.inspection": ("Inspection", "Part", "read_features", "read_inspection"),
    "ueo_core.report.live": (
        "canary_strip",
        "change_by_layer",
        "confidence_hills",
        "has_labels",
        "phase_sentence",
        "progress_signs",
        "share_done",
        "weight_bars",
    ),
    "ueo_core.report.maps": ("Map", "pca_map"),
    "ueo_core.report.pictures": ("picture_jpeg",),
    "ueo_core.report.selection": ("selection_csv",),
    "ueo_core.report.separation": ("roc_points", "threshold_at_tpr", "threshold_effect"),
    "ueo_core.report.tsne": ("compute_tsne", "tsne_map"),
    "ueo_core.report.verdict": ("Verdict", "judge"),
    "ueo_core.runs": (
        "Manager",
        "RunFolder",
        "Snapshot",
        "actions",
        "create_run",
        "read_snapshot",
        "reference",
    ),
    "ueo_core.runs.notices": ("Notice", "mark_seen", "notices"),
    "ueo_core.runs.rivals": ("MOST_SEEDS", "Rival", "queue_rivals", "rivals"),
    "ueo_core.runs.start": ("default_title", "start_run"),
    "ueo_core.scores": ("DEFAULT_SCORE", "SCORES"),
    "ueo_core.series": ("decimated",),
    "ueo_core.settings": ("DEVICES", "Settings", "TRAINED_PARTS", "WEIGHT_TEMPERATURES"),
    "ueo_core.taking_in": (
        "ROOTS",
        "SIDES",
        "TakenIn",
        "clear_spool",
        "go_on",
        "kept_spool",
        "roots",
        "spool",
        "take_path",
        "take_uploads",
    ),
    "ueo_core.thresholds": ("mixture_threshold",),
}
_WHERE = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ueo_core' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
