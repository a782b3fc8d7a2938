"""Workers: answers, progress, errors, deaths, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dcsim.records import Fault, InputError
from dcsim.workers import Worker, WorkerDied, machine_identity
from dcsim.workers.shared import SharedArray


def add(a, b):
    return a + b


def count(n, *, emit):
    for i in range(n):
        emit(i)
    return n


def fail():
    raise InputError([Fault("first", "a.csv", 3), Fault("second", field="x.y")])


def divide(a):
    return a / 0


def threads():
    from threadpoolctl import threadpool_info

    np.ones((8, 8)) @ np.ones((8, 8))
    return [info["num_threads"] for info in threadpool_info()]


def fill(shared, value):
    shared.array[...] = value


def pause(seconds):
    time.sleep(seconds)


def unpicklable():
    return lambda: None


@pytest.fixture(scope="module")
def worker():
    with Worker() as started:
        yield started


def test_a_call_returns_its_result(worker: Worker) -> None:
    assert worker.call(add, 2, 3) == 5
    np.testing.assert_array_equal(worker.call(add, np.arange(3), 1), [1, 2, 3])
    assert worker.startup_s > 0


def test_progress_arrives_in_order(worker: Worker) -> None:
    seen: list[int] = []
    assert worker.call(count, 4, on_progress=seen.append) == 4
    assert seen == [0, 1, 2, 3]


def test_what_is_raised_there_is_raised_here_with_every_fault(worker: Worker) -> None:
    with pytest.raises(InputError) as caught:
        worker.call(fail)
    assert [str(fault) for fault in caught.value.faults] == ["a.csv:3  first", "x.y: second"]
    with pytest.raises(ZeroDivisionError) as crash:
        worker.call(divide, 1)
    assert "in divide" in crash.value.__notes__[0]
    assert worker.call(add, 1, 1) == 2


def test_an_answer_that_cannot_travel_is_an_error(worker: Worker) -> None:
    with pytest.raises(RuntimeError, match="cannot be sent"):
        worker.call(unpicklable)


def test_one_thread_each(worker: Worker) -> None:
    assert set(worker.call(threads)) == {1}


def test_shared_memory_is_seen_by_both() -> None:
    shared = SharedArray((3, 2), np.float32)
    with Worker(inherit=[shared.descriptor]) as worker:
        worker.call(fill, shared, 7.0)
    np.testing.assert_array_equal(shared.array, np.full((3, 2), 7.0))
    shared.close()


def test_a_killed_worker_is_reported() -> None:
    with Worker() as worker:
        worker.send(pause, 60)
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="signal 9"):
            worker.receive()


def test_a_call_that_takes_too_long_is_ended() -> None:
    worker = Worker()
    with pytest.raises(TimeoutError, match="pause"):
        worker.call(pause, 60, timeout_s=0.05)
    assert not _alive(worker.pid)


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _gone(pid: int) -> bool:
    for _ in range(200):
        if not _alive(pid):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks processes up in /proc")
def test_killing_the_parent_ends_a_busy_worker() -> None:
    code = (
        "import time\n"
        "from dcsim.workers import Worker\n"
        "worker = Worker()\n"
        "worker.send(time.sleep, 60)\n"  # a script without a main guard, too
        "print(worker.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _alive(pid)
        parent.kill()
    assert _gone(pid)


def test_the_machine_is_named_without_a_host() -> None:
    identity = machine_identity()
    assert identity.cores >= 1
    assert identity.numpy == np.__version__
    assert os.uname().nodename not in identity.cpu
