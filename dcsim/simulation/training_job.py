"""A simulated training run: from the queue through failures and restarts to the end."""

from math import isnan

import numpy as np

from dcsim.simulation.dispatch import Held
from dcsim.simulation.events import COMPLETION, after
from dcsim.simulation.job import Phase, Phases
from dcsim.simulation.nodes import SPARE, UP
from dcsim.simulation.record import JobRecord
from dcsim.simulation.signals import Disturbed, Failure, Leave, Slowed, Stop
from dcsim.simulation.spec import FailureClass, Kill, TrainingJobSpec
from dcsim.simulation.stepping import SteppingJob
from dcsim.simulation.storage_links import READ
from dcsim.simulation.world import World


class TrainingJob(SteppingJob):
    """Phases: queue, start, work; after a failure detect, restart and work again.

    A failure of which nobody knows yet is in `_pending`; `restart_s` belongs to the last.
    After one that leaves the local checkpoints whole, the job returns to the last of them
    (`_is_local`), else to the last one on the storage. Told to leave (`_must_leave` says
    why), it saves first, and a failure meanwhile lets it leave without.
    """

    kind = "training"

    def __init__(
        self, world: World, number: int, pool: int, spec: TrainingJobSpec, score: float
    ) -> None:
        super().__init__(world, number, pool, spec, score)
        self.failures = 0
        self.lost_s = 0.0
        self.restart_s = 0.0
        self.corrupted_s: float | None = None
        self._pending: list[Failure] = []
        self._is_local = False
        self._must_leave = ""
        self.can_stop = True
        if spec.work == "trace":
            self.kind = "trace"

    def grant(self, held: Held) -> None:
        """Take over accelerators; from the first start on the scripted kills are counted."""
        if isnan(self.start_s):
            for kill in self.spec.kills:
                self._kill_later(kill)
        super().grant(held)
        self.slowness = self._slowest()
        self._set_pace()

    def left_s(self) -> float:
        """How long the job will still run by its estimate."""
        return max(self.estimate_s - self.step * self.healthy_step_s, 0.0)

    def leave(self, why: str) -> None:
        """Save and give back what the job holds; it then waits in the queue."""
        self._must_leave = why
        if not self._pending:
            self._interrupt(Leave(why))

    def pace_again(self) -> None:
        """A node of the job computes at another speed from now on."""
        self.slow(self._slowest())

    def _limits(self) -> tuple[int, int]:
        return self.spec.least, self.spec.most

    def _slowest(self) -> float:
        if self.held is None:
            return 1.0
        return float(self.world.nodes.slowness[self.held.nodes].max())

    def fail(self, failure: Failure) -> None:
        """A failure hits the job, which holds accelerators."""
        self._interrupt(failure)

    def corrupt(self, failure: Failure) -> None:
        """The job computes garbage from now on; it will know after the detection time."""
        struck = self.now
        if self.corrupted_s is None:
            self.corrupted_s = struck
        found = Failure(failure.kind, failure.nodes, corrupted_s=struck)
        timeout = self.world.environment.timeout(failure.kind.detect_s)
        timeout.callbacks.append(lambda _: self._discover(found))

    def record(self, now: float) -> JobRecord:
        """How the job went, as far as it went."""
        return self._record(
            now,
            steps=0 if self.kind == "trace" else self.spec.steps,
            steps_done=0.0 if self.kind == "trace" else self.step,
            step_s=self.step_s if self.kind == "training" else float("nan"),
            failures=self.failures,
            checkpoints=self.checkpoints,
            lost_s=self.lost_s,
        )

    def _after_queue(self) -> Phase:
        return self._restart if self.attained_s else self._start

    def _kill_later(self, kill: Kill) -> None:
        kind = FailureClass(
            "kill", 0.0, detect_s=kill.detect_s, restart_s=kill.restart_s, takes_node=False
        )

        def strike() -> None:
            if self.held is not None:
                node = int(self.held.nodes[0])
                self.world.log.add("failure", self.name, node, kind.name)
                self.fail(Failure(kind, (node,)))

        after(self.world.environment, kill.after_s, COMPLETION, strike)

    def _start(self) -> Phases:
        yield from self._hold("starting", self.spec.start_s)
        yield from self._move("data_wait", READ, self.spec.initial_read_bytes)
        return self._work

    def _work(self) -> Phases:
        yield from self._all_steps()
        yield from self._await_writer()
        self._end()
        return None

    def _detect(self) -> Phases:
        last = self._pending[-1]
        # Finding a silent corruption has taken its time already, while the job ran on.
        yield from self._hold(
            "detecting_failure", 0.0 if last.corrupted_s is not None else last.kind.detect_s
        )
        self.world.log.add("detected", self.name, last.nodes[0], last.kind.name)
        self.restart_s = last.kind.restart_s
        failed, self._pending = self._pending, []
        replaced = [
            self._hand_over(node, failure.kind)
            for failure in failed
            if failure.kind.takes_node
            for node in failure.nodes
        ]
        if all(replaced) and not self._must_leave:
            return self._restart
        self.world.log.add("requeue", self.name)
        self._give_up_nodes()
        return self._queue

    def _leave(self) -> Phases:
        """Save what was done since the last checkpoint and go back to the queue."""
        self._resume_writer()
        if self._unwritten is not None:
            yield from self._write_rest()
        yield from self._await_writer()
        if self.step > self.saved and self.segment < self.spec.steps:
            self._unwritten = self.spec.checkpoint_bytes
            yield from self._write_rest()
        self.world.log.add("stopped", self.name, detail=self._must_leave)
        self.restart_s = self.spec.resume_s
        self._is_local = False
        self._give_up_nodes()
        return self._queue

    def _give_up_nodes(self) -> None:
        self._must_leave = ""
        self._release()
        # On other nodes there is nothing of the job, neither its saves nor its data.
        if self._is_local:
            self._is_local = False
            self._return_to(self.saved)
        self.filled_at = self.step + self.feeds.epoch_steps

    def _restart(self) -> Phases:
        yield from self._hold("restarting", self.restart_s)
        if self._is_local:
            yield from self._hold("restarting", self.spec.local_restore_s)
            self.world.log.add("resume", self.name, detail=f"step {round(self.step)} (local)")
            return self._work
        size = self.spec.restore_bytes if self.saved else self.spec.initial_read_bytes
        yield from self._move("restarting", READ, size)
        self.world.log.add("resume", self.name, detail=f"step {round(self.saved)}")
        return self._work

    def _interrupted(self, cause: object) -> Phase | None:
        if isinstance(cause, Failure):
            self.failures += 1
            self._drop_writer()
            if self._survives_locally(cause):
                self._return_to(self._last_local())
                self._is_local = True
            else:
                self._roll_back(cause.corrupted_s)
            self._pending.append(cause)
            return self._detect
        if isinstance(cause, Leave):
            return self._leave
        if isinstance(cause, Slowed):
            self.slowness = self._next_slowness
            self._set_pace()
            return self._work
        if isinstance(cause, Disturbed):
            if self._must_leave:
                return self._leave
            self._resume_writer()
            return self._work
        if isinstance(cause, Stop):
            self._drop_writer()
        return super()._interrupted(cause)

    def _discover(self, found: Failure) -> None:
        """The corruption of `found` shows, unless a restart has undone it meanwhile."""
        if self.corrupted_s != found.corrupted_s or self.status == "done":
            return
        self.world.log.add("failure", self.name, found.nodes[0], found.kind.name)
        if self.running:
            self.fail(found)
        else:
            self._roll_back(found.corrupted_s)

    def _roll_back(self, corrupted_s: float | None) -> None:
        """Return to the last checkpoint, or to the last one from before a corruption."""
        if corrupted_s is not None:
            self.saved_s, self.saved = self.history.last_before(corrupted_s)
            self.history.forget_after(self.saved_s)
        self._is_local = False
        self._return_to(self.saved)
        if self.corrupted_s is not None and self.saved_s < self.corrupted_s:
            self.corrupted_s = None

    def _return_to(self, step: float) -> None:
        """Forget the steps after `step`, and where they began a segment, that too."""
        self.lost_s += (self.step - step) * self.step_s
        self.step = step
        if step == self.saved or step < self.segment:
            self.segment = self.saved

    def _last_local(self) -> float:
        """The newest step saved anywhere, on the nodes' own drives or on the storage."""
        every = self.steps_per_local_save
        return max(float(int(self.step * (1.0 + 1e-12)) // every * every), self.saved)

    def _survives_locally(self, failure: Failure) -> bool:
        """Whether a copy of every part of the local checkpoint is left, and it is newer."""
        if not self.steps_per_local_save or failure.corrupted_s is not None:
            return False
        if self._pending and not self._is_local:
            return False
        gone = sum(len(f.nodes) for f in (*self._pending, failure) if f.kind.takes_node)
        return gone < self.spec.local_copies and self._last_local() > self.saved

    def _hand_over(self, node: int, kind: FailureClass) -> bool:
        """Give a failed node to the workshop; whether another one has taken its place."""
        assert self.held is not None
        world, held = self.world, self.held
        place = np.flatnonzero(held.nodes == node)
        if not place.size:
            return True
        index = int(place[0])
        count = held.counts[index : index + 1]
        world.nodes.give(self.now, held.nodes[index : index + 1], count)
        self.held = Held(np.delete(held.nodes, index), np.delete(held.counts, index))
        if world.nodes.free[node] == world.nodes.capacity[node]:
            world.workshop.take(node, kind)
        other = world.nodes.substitute(self.pool, int(count[0]), self.held.nodes)
        if other >= 0:
            self._take_over(other, int(count[0]))
        return other >= 0

    def _take_over(self, node: int, count: int) -> None:
        """Put `count` accelerators of `node` in the place of those that were lost."""
        assert self.held is not None
        world = self.world
        if world.nodes.state[node] == SPARE:
            world.nodes.set_state(self.now, node, UP)
        world.nodes.take(self.now, np.array([node]), np.array([count]))
        index = int(np.searchsorted(self.held.nodes, node))
        self.held = Held(
            np.insert(self.held.nodes, index, node), np.insert(self.held.counts, index, count)
        )
        world.dispatcher.started(self, self.held, self.now + self.estimate_s)
        world.log.add("replaced", self.name, node)
        self._reopen_port()
