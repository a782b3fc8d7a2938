"""A process of its own for timing: one BLAS thread, an allocator that keeps its memory.

The parent writes one JSON request a line and reads JSON lines back. The process ends when
its standard input closes, hence also when the parent is killed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dcsim.calibration.cases import cases
from dcsim.calibration.models import StepSpec
from dcsim.calibration.operands import Pools
from dcsim.calibration.step_timing import time_step
from dcsim.calibration.timing import time_round
from dcsim.workers.environment import worker_environment

#: Bytes of each pool of operands; six pools make up the working memory.
POOL_BYTES = 64 << 20


class Worker:
    """The parent's end. Use as a context manager; leaving it ends the process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dcsim.calibration.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=worker_environment(os.environ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def time_round(self, quick: bool, turn: int) -> NDArray[np.float64]:
        """Seconds of every case of `cases(quick)` in round `turn`, shape (cases,)."""
        return np.array(self._ask({"do": "round", "quick": quick, "turn": turn})["seconds"])

    def time_step(self, spec: StepSpec, budget_s: float) -> float:
        """The undisturbed seconds of one training step of `spec`."""
        request = {
            "do": "step",
            "kind": spec.kind,
            "arguments": dict(spec.arguments),
            "batch": spec.batch,
            "budget_s": budget_s,
        }
        return float(self._ask(request)["seconds"])

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the timing process has no pipes")
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("the timing process ended early; its messages are above")
        return json.loads(line)


class _Server:
    """The child's end: answers requests, keeping operands from one round to the next."""

    def __init__(self) -> None:
        self._pools: Pools | None = None

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the request asks to be timed, as JSON types."""
        if request["do"] == "step":
            spec = StepSpec(request["kind"], request["arguments"], request["batch"])
            return {"seconds": time_step(spec, request["budget_s"])}
        self._pools = self._pools or Pools(POOL_BYTES)
        return {
            "seconds": time_round(cases(request["quick"]), self._pools, request["turn"]).tolist()
        }


def main() -> None:
    """Serve requests until standard input closes."""
    server = _Server()
    try:
        for line in sys.stdin:
            sys.stdout.write(json.dumps(server.answer(json.loads(line))) + "\n")
            sys.stdout.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        # The parent is gone or going; nobody will miss this answer.
        os._exit(1)


if __name__ == "__main__":
    main()
