"""Distinct images and the report from the outcomes of all files."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from ueo_core.data.decode import STRETCHED
from ueo_core.data.intake import Outcome
from ueo_core.data.intake_report import FileWarning, IntakeReport, SkippedFile
from ueo_core.data.labels import folder_of
from ueo_core.data.limits import Limits
from ueo_core.data.object_store import stored_as
from ueo_core.data.source_entries import Source

_FLAT_SPREAD = 2.0  # gray levels; a single color with compression noise is below this


def fingerprint(images: list[dict[str, Any]], srgb: bool = False) -> str:
    """sha256 (hex) over the sorted (name, key in the store) of a set."""
    lines = sorted(f"{image['name']}\0{stored_as(image['sha256'], srgb)}\n" for image in images)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def summarize(
    source: Source,
    outcomes: list[Outcome],
    limits: Limits,
    short_side: int,
    seconds: float,
    srgb: bool = False,
) -> tuple[IntakeReport, list[dict[str, Any]]]:
    """The report, and the distinct images as the manifest lists them."""
    skipped = source.skipped + [SkippedFile(o.entry.name, o.reason) for o in outcomes if o.reason]
    if source.left_out:
        reason = f"left out: the limit max_files = {limits.max_files:,} is reached"
        skipped.append(SkippedFile(f"({source.left_out:,} more files)", reason))
    images, warnings = distinct_images(outcomes, limits)
    folders = Counter(folder for image in images if (folder := folder_of(image["name"])))
    aliases = sorted((a, image["name"]) for image in images for a in image["aliases"])
    report = IntakeReport(
        set_id=fingerprint(images, srgb)[:16] if images else None,
        name=source.name,
        usable=len(images),
        skipped=sorted(skipped, key=lambda s: s.name),
        duplicates=len(aliases),
        duplicate_names=aliases,
        warnings=warnings,
        folders=dict(sorted(folders.items())),
        cancelled=len(outcomes) < len(source.entries),
        seconds=seconds,
        short_side=short_side,
        srgb=srgb,
        decoded=sum(o.decoded for o in outcomes),
    )
    return report, images


def distinct_images(
    outcomes: list[Outcome], limits: Limits
) -> tuple[list[dict[str, Any]], list[FileWarning]]:
    """Images with different bytes, sorted by name; each has the first of its names."""
    images: dict[str, dict[str, Any]] = {}
    warnings = []
    usable = ((o.entry.name, o.sha, o.record) for o in outcomes if o.record is not None)
    for name, sha, record in sorted(usable, key=lambda found: found[0]):
        if (first := images.get(sha)) is not None:
            first["aliases"].append(name)
            if folder_of(name) != folder_of(first["name"]):
                warnings.append(
                    FileWarning(name, f"the same image as {first['name']}, which is used")
                )
            continue
        images[sha] = {
            "name": name,
            "sha256": sha,
            "width": record.width,
            "height": record.height,
            "aliases": [],
        }
        if min(record.width, record.height) < limits.tiny_side:
            warnings.append(FileWarning(name, f"tiny: {record.width} x {record.height} pixels"))
        if record.format.endswith(STRETCHED):
            reason = "uses 12 of its 16 bits or fewer, so it was stretched; export it with 8 bits if that is wrong"
            warnings.append(FileWarning(name, reason))
        if record.spread < _FLAT_SPREAD:
            warnings.append(FileWarning(name, "almost a single flat color"))
    return list(images.values()), warnings
