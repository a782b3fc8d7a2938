"""How a training run makes progress: stretches of steps, checkpoints, trains of both."""

from math import exp

import simpy

from dcsim.simulation.cycles import (
    Cycle,
    Progress,
    behind_progress,
    behind_train_s,
    blocking_progress,
    blocking_train_s,
)
from dcsim.simulation.job import Job, Phases
from dcsim.simulation.saved import SavedHistory
from dcsim.simulation.spec import TrainingJobSpec
from dcsim.simulation.traffic import READ, WRITE, Transfer
from dcsim.simulation.world import World

#: Waiting below this share of a stretch is rounding.
_ROUNDING = 1e-9


class SteppingJob(Job):
    """Steps and checkpoints of one training run.

    `step` is how far the weights in memory are (fractional inside a stretch), `saved` the
    last step whose checkpoint is complete, `reached` the furthest step ever computed:
    below it steps are recomputed. `segment` is the step at which the present segment
    began; a checkpoint follows every `steps_per_save` steps and the last one.

    While no other job moves bytes, segments repeat exactly, and the job runs many of them
    as one event (a train); it is cut where another job begins to use the storage.
    """

    def __init__(
        self, world: World, number: int, pool: int, spec: TrainingJobSpec, score: float
    ) -> None:
        loaded = spec.data_bytes_per_step + spec.initial_read_bytes
        moved = loaded + spec.checkpoint_bytes + spec.restore_bytes
        super().__init__(world, number, pool, spec, heavy=moved > 0.0)
        self.spec = spec
        own_score = spec.step_score if spec.step_score is not None else score
        self.step_s = spec.step_s * exp(spec.step_log_spread * own_score)
        self.steps_per_save = spec.steps
        if spec.checkpoint_interval_s is not None:
            wanted = round(spec.checkpoint_interval_s / self.step_s)
            self.steps_per_save = min(max(wanted, 1), spec.steps)
        undisturbed = spec.start_s + spec.steps * self.step_s
        self.estimate_s = undisturbed if spec.estimate_s is None else spec.estimate_s
        self.step = 0.0
        self.segment = 0
        self.saved = 0
        self.saved_s = 0.0
        self.reached = 0.0
        self.checkpoints = 0
        self.history = SavedHistory()
        self._unwritten: float | None = None
        self._writing: tuple[Transfer, int] | None = None
        self._half_written: tuple[float, int] | None = None

    def _all_steps(self) -> Phases:
        """Compute and save until the last segment's checkpoint is written or on its way."""
        if self._unwritten is not None:
            yield from self._write_rest()
        while self.segment < self.spec.steps:
            if self.spec.checkpoint_blocking:
                cycles = self._cycles_ahead()
                if cycles:
                    yield from self._train(cycles)
                    continue
                yield from self._compute()
                self._unwritten = self.spec.checkpoint_bytes
                yield from self._write_rest()
            else:
                yield from self._compute()
                yield from self._save_behind()

    # Steps

    def _wanted_bytes_per_s(self) -> float:
        """The rate at which the job asks for data when nothing holds it back."""
        if self.spec.prefetch:
            return self.spec.data_bytes_per_step / self.step_s
        return self.spec.data_bytes_per_step / self._idle_step_s()

    def _idle_step_s(self) -> float:
        """Wall time of a step while nobody else uses the storage."""
        size = self.spec.data_bytes_per_step
        if size <= 0.0 or self.port is None:
            return self.step_s
        read_s = size / self.port.idle_bytes_per_s[READ]
        return max(self.step_s, read_s) if self.spec.prefetch else self.step_s + read_s

    def _compute(self) -> Phases:
        """One stretch of steps, to the end of the segment."""
        end = min(self.segment + self.steps_per_save, self.spec.steps)
        steps = end - self.step
        if steps <= 0.0:
            return
        if self.spec.data_bytes_per_step > 0.0 and self.world.traffic.storage is not None:
            yield from self._compute_with_data(steps)
        else:
            begun = self.now
            try:
                yield self.world.environment.timeout(steps * self.step_s)
            finally:
                elapsed = self.now - begun
                self._advance(min(elapsed / self.step_s, steps), elapsed)
        self.step = float(end)
        self.reached = max(self.reached, self.step)

    def _compute_with_data(self, steps: float) -> Phases:
        """The stretch is the transfer of its data, wanted no faster than the steps need it."""
        assert self.port is not None
        traffic, begun = self.world.traffic, self.now
        size = steps * self.spec.data_bytes_per_step
        transfer = traffic.stream(self.port, size, self._wanted_bytes_per_s())
        moved = 0.0
        try:
            yield from traffic.wait(transfer)
            moved = size
        except simpy.Interrupt:
            moved = traffic.cancel(transfer)
            raise
        finally:
            self._count(READ, moved)
            self._advance(steps * moved / size, self.now - begun)

    def _advance(self, steps: float, elapsed_s: float) -> None:
        """`steps` steps were computed in `elapsed_s`; what exceeds them was waiting for data.

        Steps that had been computed before count as recomputing, the others by their parts.
        """
        computing = min(steps * self.step_s, elapsed_s)
        waiting = elapsed_s - computing
        if waiting < _ROUNDING * elapsed_s:
            computing, waiting = elapsed_s, 0.0
        again = min(max(self.reached - self.step, 0.0), steps)
        fresh = computing * (1.0 - again / steps) if steps else 0.0
        exposed = fresh * self.spec.exposed_communication_share
        bubble = fresh * self.spec.pipeline_bubble_share
        self._post(
            recomputing=computing - fresh,
            exposed_communication=exposed,
            pipeline_bubble=bubble,
            useful_training=fresh - exposed - bubble,
            data_wait=waiting,
        )
        self.step += steps
        self.reached = max(self.reached, self.step)

    # Checkpoints that block

    def _write_rest(self) -> Phases:
        """Write what is left of the checkpoint at the end of this segment."""
        assert self._unwritten is not None
        yield from self._move("checkpoint", WRITE, self._unwritten)
        self._unwritten = None
        self._save_completed(round(self.step), self.now)
        self.segment = self.saved

    def _save_completed(
        self, step: int, time_s: float, period_s: float = 0.0, count: int = 1
    ) -> None:
        """`count` checkpoints are complete, the first of `step` at `time_s`."""
        if count <= 0:
            return
        self.history.add(time_s, step, period_s, self.steps_per_save, count)
        self.saved = step + (count - 1) * self.steps_per_save
        self.saved_s = time_s + (count - 1) * period_s
        self.checkpoints += count

    # Trains

    def _cycles_ahead(self) -> int:
        """Whole segments from here that nothing but a failure can disturb; 0 for none."""
        assert self.port is not None
        if self.step != self.segment or not self.world.traffic.alone(self.port):
            return 0
        return (self.spec.steps - self.segment) // self.steps_per_save

    def _cycle(self) -> Cycle:
        assert self.port is not None
        compute_s = self.steps_per_save * self._idle_step_s()
        write_s = self.world.traffic.idle_s(self.port, WRITE, self.spec.checkpoint_bytes)
        return Cycle(self.steps_per_save, compute_s, write_s)

    def _train(self, cycles: int) -> Phases:
        """Run `cycles` segments with blocking checkpoints as one event."""
        cycle, begun, first = self._cycle(), self.now, self.segment
        self._fast = True
        try:
            yield self.world.environment.timeout(blocking_train_s(cycle, cycles))
        finally:
            self._fast = False
            done = blocking_progress(cycle, cycles, self.now - begun)
            self._settle(done, begun)
            period = cycle.compute_s + cycle.write_s
            self._save_completed(first + cycle.steps, begun + period, period, done.saves)
            self.segment = first + done.saves * cycle.steps
            if done.unwritten is not None:
                self._unwritten = done.unwritten * self.spec.checkpoint_bytes
                self.step = float(self.segment + cycle.steps)
            elif done.saves == cycles:
                self.step = float(self.segment)

    def _train_behind(self, cycles: int) -> Phases:
        """Run `cycles` segments, each beside the write of the checkpoint before, as one event.

        Starts and ends at a checkpoint that is still to be written.
        """
        cycle, begun, first = self._cycle(), self.now, round(self.step)
        self._fast = True
        try:
            yield self.world.environment.timeout(behind_train_s(cycle, cycles))
        finally:
            self._fast = False
            done = behind_progress(cycle, cycles, self.now - begun)
            self._settle(done, begun)
            period = max(cycle.compute_s, cycle.write_s)
            self._save_completed(first, begun + cycle.write_s, period, done.saves)
            self.segment = first + done.cycles * cycle.steps
            if done.unwritten is not None:
                in_flight = first + done.saves * cycle.steps
                self._half_written = (done.unwritten * self.spec.checkpoint_bytes, in_flight)
            if done.cycles == cycles:
                self.step = float(self.segment)

    def _settle(self, done: Progress, begun_s: float) -> None:
        """Enter what a train did into the books and onto the links."""
        assert self.port is not None
        elapsed, size = self.now - begun_s, self.spec.checkpoint_bytes
        self._advance(done.steps, elapsed - done.blocked_s)
        self._post(checkpoint=done.blocked_s)
        written = (done.saves + (1.0 - done.unwritten if done.unwritten else 0.0)) * size
        read = done.steps * self.spec.data_bytes_per_step
        traffic = self.world.traffic
        for direction, moved in ((READ, read), (WRITE, written)):
            self._count(direction, moved)
            traffic.note(self.port, direction, begun_s, moved)
        if read:
            traffic.note_idle_rate(self.port, READ, self._wanted_bytes_per_s())
        if written:
            traffic.note_idle_rate(self.port, WRITE, float("inf"))

    # Checkpoints written behind the steps

    def _save_behind(self) -> Phases:
        """Start to write the checkpoint at the end of this segment, after the one before."""
        yield from self._await_writer()
        self.segment = round(self.step)
        cycles = self._cycles_ahead()
        if cycles:
            yield from self._train_behind(cycles)
        self._start_writer(self.spec.checkpoint_bytes, round(self.step))

    def _start_writer(self, size_bytes: float, step: int) -> None:
        assert self.port is not None
        transfer = self.world.traffic.start(self.port, WRITE, size_bytes)
        self._writing = (transfer, step)
        if transfer.event is None:
            self._written(transfer)
        else:
            transfer.event.callbacks.append(lambda _: self._written(transfer))

    def _written(self, transfer: Transfer) -> None:
        if self._writing is None or self._writing[0] is not transfer:
            return
        step = self._writing[1]
        self._writing = None
        self.world.traffic.close(transfer)
        self._count(WRITE, transfer.size_bytes)
        self._save_completed(step, self.now)

    def _await_writer(self) -> Phases:
        """Wait for the checkpoint that is being written."""
        if self._writing is None or self._writing[0].event is None:
            return
        begun = self.now
        try:
            yield self._writing[0].event
        finally:
            self._post(checkpoint=self.now - begun)

    def _drop_writer(self) -> None:
        """Give up the checkpoint that is being written."""
        if self._writing is not None:
            transfer, _ = self._writing
            self._writing = None
            self._count(WRITE, self.world.traffic.cancel(transfer))
        self._half_written = None
        self._unwritten = None

    def _resume_writer(self) -> None:
        """Go on with a checkpoint whose train was cut."""
        if self._half_written is not None:
            size, step = self._half_written
            self._half_written = None
            self._start_writer(size, step)
