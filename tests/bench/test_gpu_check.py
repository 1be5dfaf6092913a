"""The check of a GPU: its comparisons on the CPU alone, and on a GPU where there is one."""

import copy

import pytest
import torch

from tests.conftest import Arrays, needs_cuda
from ueo_core.bench.gpu import agreement, check, files, report, timing
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training import loop
from ueo_core.utils.errors import UserError

CPU = torch.device("cpu")


def test_relative_error_by_hand():
    reference = torch.tensor([3.0, 4.0])
    assert agreement.relative(torch.tensor([3.0, 4.5]), reference) == pytest.approx(0.1)
    assert agreement.relative(reference, reference) == 0


def test_a_check_passes_up_to_its_tolerance_and_never_with_nan():
    assert agreement.Check("x", "float32", 0.1, 0.1).passed
    assert not agreement.Check("x", "float32", 0.11, 0.1).passed
    assert not agreement.Check("x", "float32", float("nan"), 0.1).passed


def test_a_device_agrees_with_itself_and_bfloat16_differs():
    found = {(c.what, c.path): c for c in agreement.agreement(["drawings-vit"], CPU)}
    assert len(found) == 9 and all(c.passed for c in found.values())
    for (what, path), c in found.items():
        assert (c.error == 0) == (path != "bfloat16"), (what, path)


def test_an_adaptation_improves_the_built_in_problem():
    found = agreement.adaptation("drawings-resnet", CPU, "float32", images=96, epochs=3)
    assert found["adapted"] > found["zero_shot"] + 3


def test_tensor_float_32_is_restored():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with agreement.tensor_float_32(True):
        assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


def test_without_a_gpu_the_check_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device.*install a CUDA build"):
        check.gpu_check()


def test_the_report_names_failures_and_what_was_left_out():
    side = {"seconds": 0.02, "images_per_second": 3200.0, "memory_mb": 900.0, "peak_share": 0.25}
    row = {"backbone": "M", "classes": 10, "batch": 64, "plain": side | {"seconds": 0.1}}
    row |= {"plain_tf32": None, "float32": side, "tf32": side, "bfloat16": side, "ratio": 5.0}
    one = {"what": "features", "path": "tf32", "error": 0.5, "tolerance": 0.1, "passed": False}
    result = {
        "machine": {"gpu": "G", "memory_gb": 80.0, "torch": "2", "cuda": "13"},
        "checks": [one, one | {"error": 0.01, "passed": True}],
        "timing": [row],
        "parts": [{"backbone": "M", "classes": 10, "batch": 64, "milliseconds": {"views": 1.25}}],
        "photos": {"backbone": "M", "photos": 1000, "epochs": 10, "import": 12.3, "run": 4.56},
        "predictions": {
            "backbone": "M",
            "images": [1024, 5120],
            "seconds": [5.0, 9.0],
            "ms_per_image": 0.977,
        },
        "failed": [{"section": "peaks", "error": "RuntimeError: no"}],
        "left_out": ["timing of L"],
    }
    lines = report.markdown(result)
    assert "| features | tf32 | 0.5 | 0.1 | **failed** |" in lines
    assert "| features | tf32 | 0.01 | 0.1 | passed |" in lines
    (timed,) = [line for line in lines if line.startswith("| M | 10 | 64 | 100.0")]
    assert timed.split(" | ")[4:] == [
        "out of memory",
        "20.0",
        "20.0",
        "20.0",
        "5.0×",
        "3,200",
        "25 %",
        "900",
        "900 |",
    ]
    assert "| M | 10 | 64 | 1.2 |" in lines
    said = "\n".join(lines)
    assert (
        "M to 1,000 twelve-megapixel photos on disk, 10 epochs: import 12.3 s, run 4.6 s." in said
    )
    assert "5.0 and 9.0 s, 0.98 ms for each further image." in said
    assert "Failed: peaks: RuntimeError: no" in lines
    assert lines[-1] == "Left out, no time left: timing of L."


def test_the_union_of_intervals():
    assert timing.covered([(0, 2), (1, 1.5), (1, 3), (4, 5)]) == 4
    assert timing.covered([]) == 0


def test_files_of_different_bytes_are_adapted_to_and_predicted():
    found = files.photo_adaptation("drawings-resnet", 18, "cpu", (96, 72))
    assert found["photos"] == 18 and found["import"] > 0 and found["run"] > 0
    found = files.bulk_prediction("drawings-resnet", (17, 34), "cpu")
    first, second = found["seconds"]
    assert found["ms_per_image"] == pytest.approx(1e3 * (second - first) / 17, abs=1e-3)


class TestOnAGpu:
    pytestmark = needs_cuda

    def test_views_differ_from_the_cpus_by_less_than_a_gray_level(self):
        backbone = agreement.loaded("drawings-vit", CPU)
        there = agreement.loaded("drawings-vit", torch.device("cuda"))
        images = Arrays(6, size=(97, 150))
        a, b = (Views(images, x).evaluation(range(6)).cpu() for x in (backbone, there))
        # A CPU rounds to gray levels between its two passes, on noise by up to some levels.
        assert (a - b).abs().mean() < 0.01

    @pytest.mark.parametrize("method", ["ueo", "infomax", "pouf", "unient"])
    def test_a_recorded_step_is_the_step_itself(self, method, monkeypatch):
        backbone = agreement.loaded("drawings-resnet", torch.device("cuda"))
        ends = []
        for recorded in (True, False):
            if not recorded:
                monkeypatch.setattr(loop, "GraphedStep", lambda model, compute, parameters: None)
            model = AdaptedCLIP(backbone, ["star", "house", "key"])
            views = Views(Arrays(21, size=(70, 80)), backbone)
            settings = Settings(method=method, epochs=3, batch_size=8, lr=0.05)
            start = loop.image_features(model, views)
            for _ in loop.adapt(model, views, torch.linspace(0.3, 0.9, 21), settings, start=start):
                pass
            ends.append(copy.deepcopy(model.adapter_copy()))
        for name, value in ends[0].items():
            torch.testing.assert_close(value, ends[1][name], atol=2e-4, rtol=2e-3)

    def test_a_step_is_recorded_after_autograd_was_used(self, caplog):
        backbone = agreement.loaded("drawings-resnet", torch.device("cuda"))
        model = AdaptedCLIP(backbone, ["star", "house", "key"])
        views = Views(Arrays(21, size=(70, 80)), backbone)
        model.trainable_parameters()
        alive = model(views.evaluation(range(4))).sum()  # its graph holds nodes of all leaves
        for _ in loop.adapt(
            model, views, torch.ones(21), Settings(epochs=2, batch_size=8, lr=0.05)
        ):
            pass
        assert alive.requires_grad and not caplog.records

    def test_a_loss_that_is_not_finite_changes_nothing(self):
        backbone = agreement.loaded("drawings-resnet", torch.device("cuda"))
        model = AdaptedCLIP(backbone, ["star", "house", "key"])
        views = Views(Arrays(8, size=(70, 80)), backbone)
        steps = loop.adapt(model, views, torch.full((8,), torch.nan), Settings(batch_size=8))
        with pytest.raises(FloatingPointError, match="step 1"):
            next(steps)
        assert all(v.equal(model.original[k]) for k, v in model.adapter().items())

    def test_the_parts_of_a_step(self):
        found = timing.parts_of_step(timing.Case("drawings-vit", 10, 32))
        assert list(found)[-1] == "waiting" and all(v > 0 for v in list(found.values())[:-1])
        assert found["waiting"] < found["whole step"]
        assert found["image forward"] < found["image forward and backward"]

    def test_a_step_is_timed(self):
        case = timing.Case("drawings-vit", 10, 32)
        row = timing.time_case(case, {"float32": 1e12, "tf32": 1e12, "bfloat16": 1e12})
        assert row["ratio"] > 0 and row["bfloat16"]["images_per_second"] > 0
