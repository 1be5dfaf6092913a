"""Memory: what autograd keeps, what fits, and that glibc can be told to keep and to give back."""

import sys

import pytest
import torch

from tests.conftest import Arrays
from tests.training.test_loop import adapter_after, ready, settings
from ueo_core.data.transforms import Views
from ueo_core.training.loop import fitting_chunk
from ueo_core.utils import memory


def test_saved_bytes_are_those_of_the_backward_pass():
    x = torch.ones(1000, requires_grad=True)
    assert memory.saved_bytes(lambda: x.sigmoid()) == 4000  # keeps its result
    assert memory.saved_bytes(lambda: x + 1) == 0
    assert memory.saved_bytes(lambda: x.sigmoid().exp()) == 8000
    y = torch.ones(1000)
    assert memory.saved_bytes(lambda: (y * x).sum()) == 4000  # y alone: x is a parameter
    assert memory.saved_bytes(lambda: torch.stack([(y * x).sum(), (y * x).sum()])) == 4000


def test_the_largest_chunk_fills_its_share():
    assert memory.largest_chunk(64, 100, None) is None
    assert memory.largest_chunk(64, 100, 12_800) is None
    assert memory.largest_chunk(64, 100, 12_799) == 32  # 63 would leave a part of one
    assert memory.largest_chunk(64, 100, 1_000) == 5
    assert memory.largest_chunk(64, 100, 10) == 1
    assert memory.largest_chunk(64, 0, 10) is None  # no image is held: only the prompt trains


def test_this_machines_memory_is_told():
    found = memory.memory_of(torch.device("cpu"))
    assert found is None or found > 10**8


@pytest.fixture
def told(monkeypatch):
    """What glibc is told, in order."""
    found = []
    monkeypatch.setattr(memory, "_set_allocator", found.append)
    return found


def test_freed_memory_is_kept_until_the_last_one_is_out(told):
    cpu = torch.device("cpu")
    with memory.reuse_freed_memory(cpu):
        with memory.reuse_freed_memory(cpu):
            pass
        assert memory._DEFAULTS not in told
    assert told == [memory._REUSE, memory._REUSE, memory._DEFAULTS]
    with pytest.raises(KeyError), memory.reuse_freed_memory(cpu):
        raise KeyError
    assert told[-2:] == [memory._REUSE, memory._DEFAULTS]


def test_what_is_released_in_between_does_not_end_the_keeping(told):
    with memory.reuse_freed_memory(torch.device("cpu")):
        memory.release_memory()
        assert told == [memory._REUSE, memory._DEFAULTS, memory._REUSE]
    memory.release_memory()
    assert told[-1] == memory._DEFAULTS


def test_a_device_with_an_allocator_of_its_own_is_left_alone(told):
    with memory.reuse_freed_memory(torch.device("meta")):
        pass
    assert told == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_glibc_takes_every_option():
    mallopt = memory._libc("mallopt")
    if mallopt is None:
        pytest.skip("another C library")
    try:
        assert all(mallopt(option, value) for option, value in memory._REUSE)
    finally:
        assert all(mallopt(option, value) for option, value in memory._DEFAULTS)


def test_a_small_machine_is_given_parts_and_the_same_result(tiny, monkeypatch):
    model, views, weights = ready(tiny)
    chosen = settings(batch_size=6)
    whole = adapter_after(model, views, weights, chosen)
    model.reset()
    model.select("both")
    two, three = (
        memory.saved_bytes(lambda n=n: model.visual(views.evaluation(range(n)))) for n in (2, 3)
    )
    one = three - two
    small = int(2.5 * one / memory.STEP_SHARE)
    assert fitting_chunk(model, views, chosen, None) is None
    assert fitting_chunk(model, views, chosen, small) == 2
    monkeypatch.setattr(memory, "memory_of", lambda device: small)
    sizes = []
    encode = type(model).encode_image
    monkeypatch.setattr(
        type(model), "encode_image", lambda self, x: sizes.append(len(x)) or encode(self, x)
    )
    parts = adapter_after(model, views, weights, chosen)
    steps = 2 * 2  # epochs × batches; of a batch's three parts the first is encoded once
    assert set(sizes) == {2} and len(sizes) == steps * (1 + 2 * 2)
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], atol=2e-5, rtol=1e-4)


def test_prompt_only_holds_no_image_and_affine_only_no_text(tiny):
    model, views, weights = ready(tiny)
    model.select("prompt")
    assert fitting_chunk(model, views, settings(), 1) is None
    texts = []
    encode = type(model).encode_text
    try:
        type(model).encode_text = lambda self: texts.append(1) or encode(self)
        adapter_after(model, Views(Arrays(12), tiny), weights, settings(trained="affine", epochs=3))
    finally:
        type(model).encode_text = encode
    assert texts == [1]  # once for all steps
