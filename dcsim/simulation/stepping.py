"""How a training run makes progress: stretches of steps, checkpoints, trains of both."""

from math import exp, inf

import simpy

from dcsim.simulation.cycles import (
    Cycle,
    Progress,
    behind_progress,
    behind_train_s,
    blocking_progress,
    blocking_train_s,
)
from dcsim.simulation.feed import Feed, feeds
from dcsim.simulation.job import Job, Phases
from dcsim.simulation.saved import SavedHistory
from dcsim.simulation.signals import Slowed
from dcsim.simulation.spec import TrainingJobSpec
from dcsim.simulation.storage_links import DATA, FIRST_DATA, WRITE, Files
from dcsim.simulation.traffic import Transfer
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
        #: Time of a step on the accelerators that the job asks for, all of them healthy.
        self.healthy_step_s = spec.step_s * exp(spec.step_log_spread * own_score)
        self.slowness = 1.0
        self._set_pace()
        self.feeds = feeds(spec, world.nodes.pools[pool], world.traffic.storage)
        self.filled_at = self.feeds.epoch_steps
        undisturbed = spec.start_s + spec.steps * (self.step_s + self.pause_s)
        self.estimate_s = undisturbed if spec.estimate_s is None else spec.estimate_s
        self.step = 0.0
        self.segment = 0.0
        self.saved = 0.0
        self.saved_s = 0.0
        self.reached = 0.0
        self.checkpoints = 0
        self.history = SavedHistory()
        self._unwritten: float | None = None
        self._writing: tuple[Transfer, float] | None = None
        self._half_written: tuple[float, float] | None = None
        self._computing = False
        self._next_slowness = 1.0

    def _set_pace(self) -> None:
        """Time of a step and steps between saves, on what the job holds."""
        spec = self.spec
        self.step_s = self.healthy_step_s * spec.accelerators / self.width * self.slowness
        self.steps_per_save = spec.steps
        if spec.checkpoint_interval_s is not None:
            wanted = round(spec.checkpoint_interval_s / self.step_s)
            self.steps_per_save = min(max(wanted, 1), spec.steps)
        #: What saving without the storage adds to a step; spread evenly over the steps.
        self.pause_s = 0.0
        if not spec.checkpoint_blocking:
            self.pause_s += spec.checkpoint_snapshot_s / self.steps_per_save
        self.steps_per_local_save = 0
        if spec.local_interval_s is not None:
            self.steps_per_local_save = max(round(spec.local_interval_s / self.step_s), 1)
            self.pause_s += spec.local_save_s / self.steps_per_local_save

    def slow(self, slowness: float) -> None:
        """From now on the slowest node of the job computes `slowness` times as long."""
        if slowness == self.slowness:
            return
        if self._computing:
            self._next_slowness = slowness
            self._interrupt(Slowed())
        else:
            self.slowness = slowness
            self._set_pace()

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

    def _files(self) -> Files:
        spec = self.spec
        nodes = self.node_count
        writers = nodes if spec.checkpoint_writers is None else spec.checkpoint_writers
        return Files(
            data_bytes=spec.file_bytes,
            shuffled=spec.shuffle,
            checkpoint_bytes=spec.checkpoint_bytes / spec.accelerators,
            writing_share=min(writers / nodes, 1.0),
        )

    def _feed(self) -> Feed:
        """Where the data of the next step comes from."""
        if self.step < self.feeds.epoch_steps:
            return self.feeds.first
        return self.feeds.again if self.step < self.filled_at else self.feeds.later

    def _feed_ends(self) -> float:
        """The step at which data begins to come from elsewhere; inf for never."""
        ahead = (s for s in (self.feeds.epoch_steps, self.filled_at) if s > self.step)
        return min(ahead, default=inf)

    def _wanted_bytes_per_s(self, feed: Feed) -> float:
        """The rate at which the job asks for data when nothing holds it back."""
        if self.spec.prefetch:
            return feed.remote_bytes / self._unfed_step_s(feed)
        return feed.remote_bytes / self._idle_step_s(feed)

    def _unfed_step_s(self, feed: Feed) -> float:
        """Wall time of a step whose remote data is there, but for one that cannot run ahead."""
        own = self.step_s + self.pause_s
        if not self.spec.prefetch:
            return own + feed.local_s
        # Batches that wait for their first byte overlap only as deep as is read ahead.
        waiting = feed.latency_s / self.spec.prefetch if feed.remote_bytes else 0.0
        return max(own, feed.local_s, waiting)

    def _idle_step_s(self, feed: Feed) -> float:
        """Wall time of a step while nobody else uses the storage."""
        unfed = self._unfed_step_s(feed)
        if feed.remote_bytes <= 0.0 or self.port is None:
            return unfed
        read_s = feed.remote_bytes / self.port.idle_bytes_per_s[_purpose(feed)]
        return max(unfed, read_s) if self.spec.prefetch else unfed + feed.latency_s + read_s

    def _compute(self) -> Phases:
        """Stretches of steps to the end of the segment, one for each source of data."""
        end = float(min(self.segment + self.steps_per_save, self.spec.steps))
        self._computing = True
        try:
            while self.step < end:
                stop = min(self._feed_ends(), end)
                yield from self._stretch(stop - self.step)
                self.step = stop
                self.reached = max(self.reached, stop)
        finally:
            self._computing = False

    def _stretch(self, steps: float) -> Phases:
        """So many steps, with their data from one source."""
        feed = self._feed()
        if feed.remote_bytes > 0.0 and self.world.traffic.storage is not None:
            yield from self._compute_with_data(steps, feed)
            return
        if self.world.processors.limited(self.pool):
            yield from self._compute_shared(steps)
            return
        begun, step_s = self.now, self._unfed_step_s(feed)
        try:
            yield self.world.environment.timeout(steps * step_s)
        finally:
            elapsed = self.now - begun
            self._advance(min(elapsed / step_s, steps), elapsed)

    def _compute_shared(self, steps: float) -> Phases:
        """The stretch takes as long as the processors need that the pool's jobs share."""
        processors, begun = self.world.processors, self.now
        own_s = self.step_s + self.pause_s
        stretch = processors.begin(self.pool, self.accelerators, steps * own_s)
        try:
            yield stretch.done
        finally:
            done, elapsed = steps * processors.end(stretch), self.now - begun
            slower = elapsed / (done * own_s) if done else 1.0
            self._advance(done, elapsed, slower)

    def _compute_with_data(self, steps: float, feed: Feed) -> Phases:
        """The stretch is the transfer of its data, wanted no faster than the steps need it."""
        assert self.port is not None
        traffic, begun = self.world.traffic, self.now
        size = steps * feed.remote_bytes
        wanted = self._wanted_bytes_per_s(feed)
        transfer = traffic.stream(self.port, _purpose(feed), size, wanted)
        moved = 0.0
        try:
            yield from traffic.wait(transfer)
            moved = size
        except simpy.Interrupt:
            moved = traffic.cancel(transfer)
            raise
        finally:
            self._count(DATA, moved)
            self._advance(steps * moved / size, self.now - begun)

    def _advance(self, steps: float, elapsed_s: float, slower: float = 1.0) -> None:
        """`steps` steps were computed in `elapsed_s`, each taking `slower` times its own time;
        what exceeds them and their pauses for saving was waiting for data.

        Steps that had been computed before count as recomputing, the others by their parts.
        """
        computing = min(steps * self.step_s * slower, elapsed_s)
        saving = min(steps * self.pause_s * slower, elapsed_s - computing)
        waiting = elapsed_s - computing - saving
        if waiting < _ROUNDING * elapsed_s:
            computing, waiting = elapsed_s - saving, 0.0
        again = min(max(self.reached - self.step, 0.0), steps)
        fresh = computing * (1.0 - again / steps) if steps else 0.0
        # While one node is slow, the others wait for it in their collectives.
        paced = fresh / self.slowness
        exposed = paced * self.spec.exposed_communication_share + (fresh - paced)
        bubble = paced * self.spec.pipeline_bubble_share
        self._post(
            recomputing=computing - fresh,
            exposed_communication=exposed,
            pipeline_bubble=bubble,
            useful_training=fresh - exposed - bubble,
            checkpoint=saving,
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
        self.step = _exact(self.step)
        self._save_completed(self.step, self.now)
        self.segment = self.saved

    def _save_completed(
        self, step: float, time_s: float, period_s: float = 0.0, count: int = 1
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
        if self.world.processors.limited(self.pool):
            return 0
        end = min(float(self.spec.steps), self._feed_ends())
        return int((end - self.segment) // self.steps_per_save)

    def _cycle(self) -> Cycle:
        assert self.port is not None
        compute_s = self.steps_per_save * self._idle_step_s(self._feed())
        write_s = self.world.traffic.idle_s(self.port, WRITE, self.spec.checkpoint_bytes)
        return Cycle(self.steps_per_save, compute_s, write_s)

    def _train(self, cycles: int) -> Phases:
        """Run `cycles` segments with blocking checkpoints as one event."""
        cycle, begun, first, feed = self._cycle(), self.now, self.segment, self._feed()
        self._fast = self._computing = True
        try:
            yield self.world.environment.timeout(blocking_train_s(cycle, cycles))
        finally:
            self._fast = self._computing = False
            done = blocking_progress(cycle, cycles, self.now - begun)
            self._settle(done, begun, feed)
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
        cycle, begun, first, feed = self._cycle(), self.now, self.step, self._feed()
        self._fast = self._computing = True
        try:
            yield self.world.environment.timeout(behind_train_s(cycle, cycles))
        finally:
            self._fast = self._computing = False
            done = behind_progress(cycle, cycles, self.now - begun)
            self._settle(done, begun, feed)
            period = max(cycle.compute_s, cycle.write_s)
            self._save_completed(first, begun + cycle.write_s, period, done.saves)
            self.segment = first + done.cycles * cycle.steps
            if done.unwritten is not None:
                in_flight = first + done.saves * cycle.steps
                self._half_written = (done.unwritten * self.spec.checkpoint_bytes, in_flight)
            if done.cycles == cycles:
                self.step = float(self.segment)

    def _settle(self, done: Progress, begun_s: float, feed: Feed) -> None:
        """Enter what a train did into the books and onto the links."""
        assert self.port is not None
        elapsed, size = self.now - begun_s, self.spec.checkpoint_bytes
        self._advance(done.steps, elapsed - done.blocked_s)
        self._post(checkpoint=done.blocked_s)
        written = (done.saves + (1.0 - done.unwritten if done.unwritten else 0.0)) * size
        read = done.steps * feed.remote_bytes
        traffic, source = self.world.traffic, _purpose(feed)
        for purpose, moved in ((source, read), (WRITE, written)):
            self._count(purpose, moved)
            traffic.note(self.port, purpose, begun_s, moved)
        if read:
            traffic.note_idle_rate(self.port, source, self._wanted_bytes_per_s(feed))
        if written:
            traffic.note_idle_rate(self.port, WRITE, float("inf"))

    # Checkpoints written behind the steps

    def _save_behind(self) -> Phases:
        """Start to write the checkpoint at the end of this segment, after the one before."""
        yield from self._await_writer()
        self.segment = self.step = _exact(self.step)
        cycles = self._cycles_ahead()
        if cycles:
            yield from self._train_behind(cycles)
        self._start_writer(self.spec.checkpoint_bytes, self.step)

    def _start_writer(self, size_bytes: float, step: float) -> None:
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


def _exact(step: float) -> float:
    """`step` without the rounding of a sum of stretches."""
    whole = float(round(step))
    return whole if abs(step - whole) <= _ROUNDING * max(whole, 1.0) else step


def _purpose(feed: Feed) -> str:
    return FIRST_DATA if feed.from_origin else DATA
