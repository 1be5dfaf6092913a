"""Decoding by several processes: the store's own pixels, in order, whatever a file does."""

import os
import signal

import numpy as np
import pytest

from tests.helpers.streams import image_bytes, write_folder
from ueo_core.data import decode_processes
from ueo_core.data.decode_processes import read_files
from ueo_core.data.limits import Limits
from ueo_core.data.store import Store
from ueo_core.data.stream import open_stream


@pytest.fixture
def source(tmp_path):
    return open_stream(write_folder(tmp_path / "photos", 40), Limits(), tmp_path / "out")


@pytest.mark.parametrize("processes", [0, 2])
def test_pixels_sizes_and_reasons_are_those_of_an_intake(source, tmp_path, processes):
    store = Store(tmp_path / "store", 32)
    report = store.ingest(source.path)
    images = store.open(report.set_id)
    read = list(read_files(source.files(), 32, Limits(), processes))
    assert [f.name for f in read] == [f.name for f in source.files()]
    by_name = {f.name: f for f in read}
    for i, name in enumerate(images.names):
        np.testing.assert_array_equal(by_name[name].pixels, images.pixels(i))
        assert by_name[name].size == images.size(i)
    reasons = {f.name: f.reason for f in read if f.pixels is None}
    assert reasons == {s.name: s.reason for s in report.skipped} and len(reasons) == 2


def test_few_files_are_asked_for_ahead(source):
    taken = []

    def counted():
        for i, found in enumerate(source.files()):
            taken.append(i)
            yield found

    read = read_files(counted(), 32, Limits(), 1)
    next(read)
    assert len(taken) <= 3 * 16
    read.close()


def test_a_process_that_dies_costs_one_file(source, monkeypatch):
    real, killed = decode_processes._Worker._pipes, []

    def pipes(self):
        found = real(self)
        if not killed:
            killed.append(self._process.pid)
            os.kill(self._process.pid, signal.SIGKILL)
        return found

    monkeypatch.setattr(decode_processes._Worker, "_pipes", pipes)
    read = list(read_files(source.files(), 32, Limits(), 1))
    assert len(read) == 42 and len(killed) == 1
    assert [f.name for f in read if "ended the process" in f.reason] == ["000.png"]


def test_without_processes_this_one_decodes(source, monkeypatch):
    monkeypatch.setattr(decode_processes.sys, "executable", "/no/python")
    read = list(read_files(source.files(), 32, Limits(), 2))
    assert sum(f.pixels is not None for f in read) == 40


def test_large_images_wait_for_each_other(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(image_bytes(1, size=(4600, 4600)))
    source = open_stream(tmp_path, Limits(), tmp_path / "out")
    (read,) = read_files(source.files(), 32, Limits(), 1)
    assert read.size == (4600, 4600) and read.pixels.shape == (32, 32, 3)
