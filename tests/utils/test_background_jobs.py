"""Background jobs: once for a key, cancelled kindly, every failure a sentence."""

import threading
import time

from ueo_core.utils.background_jobs import Job, Jobs
from ueo_core.utils.errors import UserError


def wait(job) -> None:
    deadline = time.monotonic() + 10
    while job.running and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not job.running


def test_the_same_key_is_the_same_job_until_asked_again():
    jobs, calls, gate = Jobs(), [], threading.Event()

    def work(job):
        calls.append(1)
        gate.wait(10)
        return len(calls)

    first = jobs.start("k", "A job", work)
    assert jobs.start("k", "A job", work) is first
    assert jobs.start("k", "A job", work, again=True) is first  # running: nothing to replace
    gate.set()
    wait(first)
    assert jobs.start("k", "A job", work) is first and first.result == 1
    second = jobs.start("k", "A job", work, again=True)
    wait(second)
    assert second.result == 2 and jobs.get("k") is second
    jobs.forget("k")
    assert jobs.get("k") is None


def test_cancel_ends_at_the_next_look():
    jobs, reached = Jobs(), threading.Event()

    def work(job):
        for i in range(10_000):
            job.progress(i, 10_000)
            reached.set()
            job.check()
            time.sleep(0.001)
        return "too late"

    job = jobs.start("k", "A job", work)
    reached.wait(10)
    job.cancel()
    wait(job)
    assert job.cancelled and job.result is None and job.error == ""
    assert job.total == 10_000


def test_failures_are_sentences():
    jobs = Jobs()

    def refuse(job):
        raise UserError("thing: reason; way out.")

    def full(job):
        raise OSError(28, "No space left on device")

    def broken(job):
        raise KeyError("x")

    ended = [
        jobs.start(name, "The job", work)
        for name, work in (("a", refuse), ("b", full), ("c", broken))
    ]
    for job in ended:
        wait(job)
    assert ended[0].error == "thing: reason; way out."
    assert ended[1].error.startswith("The job: No space left on device;")
    assert "KeyError" in ended[2].error


def test_rate_and_time_left_follow_the_mean():
    jobs = Jobs()
    job = jobs.start("k", "A job", lambda job: job.progress(30, 120))
    wait(job)
    job.started, job.ended = 100.0, 110.0
    assert job.rate == 3.0
    assert job.seconds_left == 30.0


def test_ended_jobs_are_not_kept_for_ever():
    from ueo_core.utils.background_jobs import KEPT

    jobs = Jobs()
    for i in range(KEPT + 20):
        wait(jobs.start(str(i), "A job", lambda job: None))
    assert jobs.get("0") is None
    assert jobs.get(str(KEPT + 19)) is not None


def test_the_end_cancels_jobs_and_waits_for_them():
    jobs, left = Jobs(), []

    def work(job: Job) -> None:
        try:
            while True:
                job.check()
                time.sleep(0.001)
        finally:
            left.append(job.key)

    for key in ("a", "b"):
        jobs.start(key, key, work)
    jobs.end()
    assert sorted(left) == ["a", "b"]
