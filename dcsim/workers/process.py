"""A process that runs functions for this one, started fresh and never left behind.

Why not `multiprocessing`: its spawned children import the parent's main module, and with
it NumPy, before a line of ours can set the number of BLAS threads; and a user's script
without an `if __name__ == "__main__"` guard cannot spawn at all. A plain interpreter with
its own environment has neither problem. POSIX only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from time import perf_counter
from types import TracebackType
from typing import Any

from dcsim.workers.environment import worker_environment

#: How long a worker may take to start before it counts as failed.
START_LIMIT_S = 120.0
_STOP_LIMIT_S = 5.0


class WorkerDied(RuntimeError):
    """A worker ended without an answer: killed, out of memory, or crashed."""


class Worker:
    """One process with `threads` BLAS threads; a context manager.

    It keeps the memory that it has freed, unless told otherwise (`worker_environment`).
    `preload` names modules that it imports before it counts as started; `startup_s` is the
    time that took. `inherit` are file descriptors that stay open in the child. The process
    ends when this one does, however that ends, and Ctrl-C reaches only this one.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        keeps_memory: bool = True,
        preload: Sequence[str] = (),
        inherit: Sequence[int] = (),
    ) -> None:
        start = perf_counter()
        here, there = Pipe()
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from dcsim.workers.child import serve; serve({there.fileno()}, {list(preload)!r})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=worker_environment(os.environ, threads=threads, keeps_memory=keeps_memory),
            stdin=subprocess.DEVNULL,
            stdout=2,  # so that nothing a worker prints mixes with this process's answer
            pass_fds=(there.fileno(), *inherit),
            start_new_session=True,
        )
        there.close()
        self._connection = here
        try:
            if not here.poll(START_LIMIT_S):
                raise WorkerDied(f"a worker did not start within {START_LIMIT_S:.0f} s")
            self._receive()
        except BaseException:
            self.kill()
            raise
        self.startup_s = perf_counter() - start

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def connection(self) -> Connection:
        """What becomes ready when `receive` would return at once."""
        return self._connection

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        on_progress: Callable[[Any], None] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Run `function(*args)` in the process and return what it returns.

        `function` is found by its module and name. With `on_progress` it is called with one
        more keyword, `emit`, and every value that it emits reaches `on_progress` here. What
        it raises is raised here; WorkerDied when the process ended, TimeoutError after
        `timeout_s` (the process is then killed).
        """
        self.send(function, *args, emits=on_progress is not None)
        limit = None if timeout_s is None else perf_counter() + timeout_s
        while True:
            left = None if limit is None else max(limit - perf_counter(), 0.0)
            if not wait([self._connection], left):
                self.kill()
                raise TimeoutError(f"{function.__name__} took longer than {timeout_s} s")
            finished, value = self.receive()
            if finished:
                return value
            if on_progress is not None:
                on_progress(value)

    def send(self, function: Callable[..., Any], *args: Any, emits: bool = False) -> None:
        """Start `function(*args)` in the process and return at once; see `receive`."""
        try:
            self._connection.send((function, args, emits))
        except (BrokenPipeError, ConnectionResetError):
            raise WorkerDied(self._epitaph()) from None

    def receive(self) -> tuple[bool, Any]:
        """Wait for the next message: (False, emitted value) or (True, result).

        Raises what the function raised, and WorkerDied when the process ended.
        """
        kind, value = self._receive()
        if kind == "raised":
            raise value
        return kind == "returned", value

    def _receive(self) -> tuple[str, Any]:
        try:
            return self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise WorkerDied(self._epitaph()) from None

    def _epitaph(self) -> str:
        try:
            code = self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            return "a worker process stopped answering"
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"a worker process {how} before it had answered"

    def close(self) -> None:
        """Let the process end, and make sure that it does."""
        self._connection.close()
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        self._connection.close()
