"""Whole files, and what is no file: links stay, pipes and devices are written to."""

import os
import threading
from pathlib import Path

from ueo_core.utils.files import write_bytes


def test_a_link_stays_and_its_file_is_written(tmp_path):
    (tmp_path / "real.csv").write_bytes(b"old")
    for name, target in (("link.csv", "real.csv"), ("dangling.csv", "new.csv")):
        (tmp_path / name).symlink_to(tmp_path / target)
        write_bytes(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink() and (tmp_path / target).read_bytes() == b"new"


def test_a_pipe_is_written_to(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"rows")
    reader.join(10)
    assert got == [b"rows"] and pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_a_device_is_written_to():
    write_bytes(Path(os.devnull), b"rows")
    assert not os.path.isfile(os.devnull) and os.path.exists(os.devnull)
