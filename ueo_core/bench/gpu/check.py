"""`gpu-check`: whether this GPU gives the results of the CPU, and how fast; minutes, offline."""

import platform
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from ueo_core.bench.gpu import agreement, files, timing
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes, write_json

MODELS = ("drawings-resnet", "drawings-vit", "RN50-quickgelu", "ViT-B-16-quickgelu")
CASES = (
    timing.Case("ViT-B-16-quickgelu", 10, 64),
    timing.Case("ViT-B-16-quickgelu", 345, 64),
    timing.Case("ViT-B-16-quickgelu", 10, 256),
    timing.Case("RN50-quickgelu", 10, 64),
    timing.Case("RN50-quickgelu", 345, 64),
    timing.Case("ViT-B-16-quickgelu", 1000, 64),
    timing.Case("ViT-L-14-quickgelu", 10, 64),
    timing.Case("RN50-quickgelu", 1000, 64),
)


PHOTOS = 1000  # of twelve megapixels, for an adaptation from files
IMAGES = (1024, 5120)  # of predictions from files: the slope leaves the start of the processes out


def _named(case: timing.Case) -> str:
    return f"{case.backbone}, {case.classes} classes, batch {case.batch}"


def machine() -> dict:
    """What the numbers were measured on."""
    card = torch.cuda.get_device_properties(0)
    return {
        "gpu": card.name,
        "memory_gb": round(card.total_memory / 1e9, 1),
        "capability": f"{card.major}.{card.minor}",
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }


class Budget:
    """Seconds that a check may take; what does not fit is listed as left out."""

    def __init__(self, seconds: float):
        self.seconds, self.began = seconds, time.monotonic()

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.began)


def gpu_check(minutes: float = 6.0, tell: Callable[[str], None] = lambda text: None) -> dict:
    """All checks, the most important first. → the result as plain data; UserError without a GPU"""
    if not torch.cuda.is_available():
        raise UserError(
            "GPU check: torch sees no CUDA device here; install a CUDA build of torch, or run it on a "
            "machine with an NVIDIA GPU."
        )
    device, budget = torch.device("cuda"), Budget(60 * minutes)
    result: dict = {
        "machine": machine(),
        "checks": [],
        "timing": [],
        "parts": [],
        "failed": [],
        "left_out": [],
    }

    def section(name: str, needs: float, work: Callable[[], None]) -> None:
        if budget.left < needs:
            result["left_out"].append(name)
            return
        began = time.monotonic()
        try:
            work()
        except Exception as error:  # one failed section must not hide the others
            result["failed"].append(
                {
                    "section": name,
                    "error": f"{type(error).__name__}: {error}",
                    "trace": traceback.format_exc(),
                }
            )
        tell(f"{name}: {time.monotonic() - began:.1f} s")
        result.setdefault("seconds", {})[name] = round(time.monotonic() - began, 2)

    def peaks() -> None:
        result["peaks"] = timing.matrix_peaks()
        result["copy_bandwidth"] = timing.copy_bandwidth()

    def agree(name: str) -> None:
        for check in agreement.agreement([name], device, tell):
            result["checks"].append({**vars(check), "passed": check.passed})

    def adapt(name: str) -> None:
        cpu = agreement.adaptation(name, torch.device("cpu"), "float32")
        for path in ("float32", "bfloat16"):
            here = agreement.adaptation(name, device, path)
            check = agreement.Check(
                f"{name}: HM after an adaptation ({cpu['zero_shot']:.1f} → {cpu['adapted']:.1f} on the "
                f"CPU, {here['adapted']:.1f} here)",
                path,
                abs(here["adapted"] - cpu["adapted"]),
                agreement.POINTS,
            )
            result["checks"].append({**vars(check), "passed": check.passed})

    def resume(name: str) -> None:
        check = agreement.Check(
            f"{name}: six steps against three, stopped and resumed",
            "float32, deterministic",
            agreement.resumed_equal(name, device),
            0.0,
        )
        result["checks"].append({**vars(check), "passed": check.passed})

    def measure(case: timing.Case) -> None:
        result["timing"].append(timing.time_case(case, result["peaks"]))

    def divide(case: timing.Case) -> None:
        milliseconds = timing.parts_of_step(case)
        result["parts"].append({**vars(case), "milliseconds": milliseconds})

    def photos() -> None:
        result["photos"] = files.photo_adaptation(CASES[0].backbone, PHOTOS, "cuda")

    def predictions() -> None:
        result["predictions"] = files.bulk_prediction(CASES[0].backbone, IMAGES, "cuda")

    section("peaks", 20, peaks)
    for name in MODELS[:2]:
        section(f"agreement {name}", 20, partial(agree, name))
        section(f"adaptation {name}", 30, partial(adapt, name))
    for name in (MODELS[0], MODELS[1]):
        section(f"resume {name}", 10, partial(resume, name))
    for name in MODELS[2:]:
        section(f"agreement {name}", 40, partial(agree, name))
    for case in CASES[:4]:
        section(f"timing {_named(case)}", 25, partial(measure, case))
        section(f"parts {_named(case)}", 15, partial(divide, case))
    section(f"adaptation to {PHOTOS:,} photos", 60, photos)
    section(f"predictions of {IMAGES[-1]:,} images", 30, predictions)
    for case in CASES[4:]:
        section(f"timing {_named(case)}", 25, partial(measure, case))
    return result


def write(result: dict, lines: list[str], out: Path) -> None:
    """OUT/gpu-check.json and the same as tables, OUT/gpu-check.md"""
    write_json(out / "gpu-check.json", result)
    write_bytes(out / "gpu-check.md", ("\n".join(lines) + "\n").encode("utf-8"))
