"""A real training job, replayed with its measured times on a local node."""

from math import fsum
from statistics import median

import numpy as np
import simpy

from dcsim.simulation.job import Job, Phase, Phases
from dcsim.simulation.record import JobRecord
from dcsim.simulation.spec import RealJobSpec
from dcsim.simulation.storage_links import READ, WRITE
from dcsim.simulation.world import World


class RealJob(Job):
    """Start-up, loading beside the read from storage, every measured step, the checkpoint.

    Steps are never simulated anew: their sum is one stretch, and an interrupted one ends
    in the step that the measured times say.
    """

    kind = "real"

    def __init__(self, world: World, number: int, pool: int, spec: RealJobSpec) -> None:
        heavy = spec.data_bytes > 0.0 or spec.checkpoint_bytes > 0.0
        super().__init__(world, number, pool, spec, heavy)
        self.spec = spec
        self.steps_s = fsum(spec.step_s)
        around_s = spec.startup_s + spec.load_s + spec.evaluation_s + spec.checkpoint_s
        undisturbed = around_s + self.steps_s
        self.estimate_s = undisturbed if spec.estimate_s is None else spec.estimate_s
        self.steps_done = 0.0
        self.checkpoints = 0

    def record(self, now: float) -> JobRecord:
        """How the job went, as far as it went."""
        return self._record(
            now,
            steps=len(self.spec.step_s),
            steps_done=self.steps_done,
            step_s=median(self.spec.step_s),
            failures=0,
            checkpoints=self.checkpoints,
            lost_s=0.0,
        )

    def _after_queue(self) -> Phase:
        return self._start

    def _start(self) -> Phases:
        spec = self.spec
        yield from self._hold("starting", spec.startup_s)
        yield from self._beside(READ, spec.data_bytes, spec.load_s, "starting", "data_wait")
        return self._train

    def _train(self) -> Phases:
        begun = self.now
        try:
            yield self.world.environment.timeout(self.steps_s)
            self.steps_done = float(len(self.spec.step_s))
        except simpy.Interrupt:
            ends = np.cumsum(self.spec.step_s)
            self.steps_done = float(np.searchsorted(ends, self.now - begun, side="right"))
            raise
        finally:
            self._post(useful_training=self.now - begun)
        yield from self._hold("useful_training", self.spec.evaluation_s)
        return self._save

    def _save(self) -> Phases:
        spec = self.spec
        yield from self._beside(
            WRITE, spec.checkpoint_bytes, spec.checkpoint_s, "checkpoint", "checkpoint"
        )
        self.checkpoints = 1 if spec.checkpoint_bytes or spec.checkpoint_s else 0
        self._end()
        return None

    def _beside(
        self, direction: str, size_bytes: float, measured_s: float, within: str, beyond: str
    ) -> Phases:
        """Move bytes while the measured time passes; what takes longer is `beyond` it."""
        assert self.port is not None
        transfer = self.world.traffic.start(self.port, direction, size_bytes)
        try:
            yield from self._hold(within, measured_s)
            late = self.now
            try:
                yield from self.world.traffic.wait(transfer)
                self._count(direction, size_bytes)
            finally:
                self._post(**{beyond: self.now - late})
        except simpy.Interrupt:
            self._count(direction, self.world.traffic.cancel(transfer))
            raise
