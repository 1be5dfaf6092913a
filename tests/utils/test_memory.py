"""Memory: what autograd saves, what fits, and reuse of freed memory with glibc."""

import gc
import sys
import weakref

import pytest
import torch

from tests.conftest import Arrays
from tests.training.test_loop import adapter_after, ready, settings
from ueo_core.data.transforms import Views
from ueo_core.training.loop import fitting_chunk
from ueo_core.utils import memory


def test_what_was_measured_is_freed():
    kept = []

    def forward():
        x = torch.ones(1000, requires_grad=True) * 2
        kept.append(weakref.ref(x))
        kept.append(weakref.ref(y := x.sigmoid()))  # a node that saves its own result
        return y.exp()

    assert memory.saved_bytes(forward) == 8000
    gc.collect()
    assert [ref() for ref in kept] == [None, None]


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


def test_this_machine_has_a_known_memory():
    found = memory.memory_of(torch.device("cpu"))
    assert found is None or found > 10**8


@pytest.fixture
def allocator(monkeypatch):
    """The options set in glibc, in order."""
    found = []
    monkeypatch.setattr(memory, "_set_allocator", found.append)
    return found


def test_freed_memory_is_reused_until_the_last_user_leaves(allocator):
    cpu = torch.device("cpu")
    with memory.reuse_freed_memory(cpu):
        with memory.reuse_freed_memory(cpu):
            pass
        assert memory._DEFAULTS not in allocator
    assert allocator == [memory._REUSE, memory._REUSE, memory._DEFAULTS]
    with pytest.raises(KeyError), memory.reuse_freed_memory(cpu):
        raise KeyError
    assert allocator[-2:] == [memory._REUSE, memory._DEFAULTS]


def test_a_release_in_between_does_not_end_the_reuse(allocator):
    with memory.reuse_freed_memory(torch.device("cpu")):
        memory.release_memory()
        assert allocator == [memory._REUSE, memory._DEFAULTS, memory._REUSE]
    memory.release_memory()
    assert allocator[-1] == memory._DEFAULTS


def test_other_devices_are_not_affected(allocator):
    with memory.reuse_freed_memory(torch.device("meta")):
        pass
    assert allocator == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_glibc_accepts_every_option():
    mallopt = memory._libc("mallopt")
    if mallopt is None:
        pytest.skip("another C library")
    try:
        assert all(mallopt(option, value) for option, value in memory._REUSE)
    finally:
        assert all(mallopt(option, value) for option, value in memory._DEFAULTS)


def test_a_small_machine_gets_smaller_chunks_and_the_same_result(tiny, monkeypatch):
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


def test_prompt_alone_needs_no_image_memory_and_affine_alone_one_text_pass(tiny):
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
