"""Fluid flows with weighted max-min fair sharing, advanced from change to change."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from dcsim.simulation.fluid_compiled import kernels, note_visits
from dcsim.simulation.fluid_state import DATE_HEAP, WORK, State, hops_of, new_state, resized

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Sizes of a new network's arrays; they grow.
FIRST_ROOM, FIRST_SLOTS, FIRST_HOPS = 4, 16, 8

NONE: Ints = np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class _Group:
    """Flows of one route, start, size and weight: one flow to the solver."""

    links: Ints
    usage: Floats
    size_bytes: float
    weight: float
    members: list[int] = field(default_factory=list)
    slot: int = -1


class FluidNetwork:
    """Links and the flows that share them.

    A flow first waits the sum of its links' latencies holding no bandwidth, then drains
    its bytes at `weight` times the common level of its bottleneck (max-min fairness by
    progressive filling; Bertsekas and Gallager, Data Networks, section 6.5.2). Only what
    a change can reach is solved again, all changes of one instant at once, and flows of
    one route, start, size and weight count as one.

    `capacity_bytes_per_s` and `latency_s` have shape (n_links,). Dates never go back.
    """

    def __init__(self, capacity_bytes_per_s: Floats, latency_s: Floats | None = None) -> None:
        capacity = np.array(capacity_bytes_per_s, dtype=np.float64)
        links = len(capacity)
        if not (np.isfinite(capacity).all() and (capacity >= 0.0).all()):
            raise ValueError("every link needs a finite capacity of at least 0")
        self._latency = np.zeros(links) if latency_s is None else np.array(latency_s, dtype=float)
        self._room = np.full(links, FIRST_ROOM, dtype=np.int64)
        self._state: State = new_state(capacity, self._room, FIRST_SLOTS, FIRST_HOPS)
        self._unused = list(range(FIRST_SLOTS - 1, -1, -1))
        self._ids = count()
        self._turn = count()
        self._group_of: dict[int, _Group] = {}
        self._in_slot: dict[int, _Group] = {}
        self._waiting: list[tuple[float, int, _Group]] = []
        self._fresh: dict[tuple[bytes, bytes, float, float], _Group] = {}
        self._leaving: list[int] = []
        self._changed: set[int] = set()
        self._ended: list[int] = []
        self._carried = np.zeros(links)
        self.now = 0.0

    def start(
        self,
        now: float,
        route: Sequence[int] | Ints,
        size_bytes: float,
        weight: float = 1.0,
        usage: Sequence[float] | Floats | None = None,
    ) -> int:
        """Start a flow at `now`; its id. It takes effect at the next `advance`.

        `route` lists link indices; each byte of the flow takes `usage` bytes of each
        (default 1). Raises ValueError for a route, size or weight that cannot be.
        """
        path = np.asarray(route, dtype=np.int64)
        taken = np.ones(len(path)) if usage is None else np.asarray(usage, dtype=np.float64)
        links, usage = hops_of(path, taken)
        if not len(links) or links.min() < 0 or links.max() >= len(self._latency):
            raise ValueError(f"a route must name links from 0 to {len(self._latency) - 1}")
        if not (0.0 <= size_bytes < math.inf and 0.0 < weight < math.inf):
            raise ValueError("a flow needs a finite size of at least 0 and a weight above 0")
        if not (np.isfinite(usage).all() and (usage > 0.0).all()):
            raise ValueError("a byte of a flow must take more than 0 bytes of each of its links")
        self._move_to(now)
        flow = next(self._ids)
        key = (links.tobytes(), usage.tobytes(), size_bytes, weight)
        group = self._fresh.get(key)
        if group is None:
            group = _Group(links, usage, size_bytes, weight)
            self._fresh[key] = group
            enter = now + float(self._latency[path].sum())
            heapq.heappush(self._waiting, (enter, next(self._turn), group))
        group.members.append(flow)
        self._group_of[flow] = group
        return flow

    def cancel(self, now: float, flow: int) -> float:
        """Take a flow out at `now`; the bytes that it had left.

        Raises KeyError when the flow has ended or was cancelled before.
        """
        self._move_to(now)
        group = self._group_of.pop(flow)
        group.members.remove(flow)
        if group.slot < 0:
            return group.size_bytes
        rest = len(group.members)
        left = self._left(group.slot) / (rest + 1)
        self._carried[group.links] += group.usage * (group.size_bytes - left) * (rest + 1)
        self._leaving.append(group.slot)
        del self._in_slot[group.slot]
        group.slot = -1
        group.size_bytes = left
        if rest:
            heapq.heappush(self._waiting, (now, next(self._turn), group))
        return left

    def set_capacity(self, now: float, link: int, capacity_bytes_per_s: float) -> None:
        """Degrade or repair a link from `now` on; 0 stalls the flows on it."""
        if not 0.0 <= capacity_bytes_per_s < math.inf:
            raise ValueError("a link's capacity must be finite and at least 0")
        self._move_to(now)
        self._state.links["capacity"][link] = capacity_bytes_per_s
        self._changed.add(link)

    def advance(self, now: float) -> list[int]:
        """Move to `now`, making all changes due on the way; the ids of the flows that ended."""
        self._move_to(now)
        while self.next_completion() <= now:
            self._step(now)
        ended, self._ended = self._ended, []
        return ended

    def next_completion(self) -> float:
        """Date at which `advance` must be called next (inf when nothing will happen).

        The next end of a flow or of its latency, or the present when changes are due.
        """
        if self._leaving or self._changed:
            return self.now
        date = self._waiting[0][0] if self._waiting else math.inf
        s = self._state
        if s.sizes[DATE_HEAP]:
            date = min(date, float(s.flows[s.queues[DATE_HEAP, 0]]["key"]))
        return max(date, self.now)

    def link_rates(self) -> Floats:
        """Bytes/s on every link since the last `advance`, shape (n_links,)."""
        slots = self._slots()
        flows = self._state.flows[slots]
        return self._over_links(slots, flows["weight"] * flows["level"])

    def link_bytes(self) -> Floats:
        """Bytes that every link has carried up to the present, shape (n_links,)."""
        slots = self._slots()
        size = [self._in_slot[slot].size_bytes * len(self._in_slot[slot].members) for slot in slots]
        left = [self._left(slot) for slot in slots]
        return self._carried + self._over_links(slots, np.array(size) - np.array(left))

    def remaining(self, flow: int) -> float:
        """Bytes that a flow has left at the present; KeyError when it is not under way."""
        group = self._group_of[flow]
        if group.slot < 0:
            return group.size_bytes
        return self._left(group.slot) / len(group.members)

    def _slots(self) -> Ints:
        return np.array(sorted(self._in_slot), dtype=np.int64)

    def _over_links(self, slots: Ints, value: Floats) -> Floats:
        """Sum of a value of each flow over the links that it crosses."""
        hops = self._state.hops[slots]
        used = np.arange(hops.shape[1]) < self._state.flows[slots]["hops"][:, None]
        weights = (hops["usage"] * value[:, None])[used]
        total = np.zeros(len(self._carried))
        np.add.at(total, hops["link"][used], weights)
        return total

    def _left(self, slot: int) -> float:
        flow = self._state.flows[slot]
        carried = flow["weight"] * flow["level"] * (self.now - flow["settled"])
        return max(float(flow["remaining"] - carried), 0.0)

    def _move_to(self, now: float) -> None:
        """Make what is due before `now`, then let the clock show `now`."""
        if now < self.now:
            raise ValueError(f"the network is at {self.now} s and cannot go back to {now} s")
        while (date := self.next_completion()) < now:
            self._step(date)
        if now > self.now:
            self._fresh.clear()
        self.now = now

    def _step(self, date: float) -> None:
        """Make all changes due at `date` and solve once."""
        self.now = date
        self._fresh.clear()
        entering = self._enter(date)
        leaving = np.array(self._leaving, dtype=np.int64)
        changed = np.array(sorted(self._changed), dtype=np.int64)
        self._leaving.clear()
        self._changed.clear()
        s = self._state
        before = int(s.sizes[WORK])
        finished = np.empty(int(s.sizes[DATE_HEAP]), dtype=np.int64)
        ended = kernels().advance(s, date, leaving, changed, entering, finished)
        note_visits(int(s.sizes[WORK]) - before)
        for slot in finished[:ended].tolist():
            group = self._in_slot.pop(slot)
            self._carried[group.links] += group.usage * group.size_bytes * len(group.members)
            self._ended += group.members
            for flow in group.members:
                del self._group_of[flow]
            self._unused.append(slot)
        self._unused += leaving.tolist()

    def _enter(self, date: float) -> Ints:
        """Give slots to the groups whose latency is over; their slots."""
        groups = []
        while self._waiting and self._waiting[0][0] <= date:
            group = heapq.heappop(self._waiting)[2]
            if group.members:
                groups.append(group)
        if not groups:
            return NONE
        self._make_room(groups)
        s = self._state
        for group in groups:
            group.slot = self._unused.pop()
            self._in_slot[group.slot] = group
            s.hops[group.slot]["link"][: len(group.links)] = group.links
            s.hops[group.slot]["usage"][: len(group.links)] = group.usage
            flow = s.flows[group.slot]
            flow["hops"] = len(group.links)
            flow["weight"] = group.weight * len(group.members)
            flow["remaining"] = group.size_bytes * len(group.members)
        return np.array([group.slot for group in groups], dtype=np.int64)

    def _make_room(self, groups: list[_Group]) -> None:
        """Enlarge the arrays where these groups would not fit."""
        s = self._state
        coming = np.bincount(np.concatenate([g.links for g in groups]), minlength=len(self._room))
        need = s.links["count"] + coming
        slots, most_hops = s.hops.shape
        missing = len(groups) - len(self._unused)
        longest = max(len(group.links) for group in groups)
        if missing <= 0 and longest <= most_hops and (need <= self._room).all():
            return
        self._room = np.where(need > self._room, 2 * need, self._room)
        more = max(slots, missing) if missing > 0 else 0
        self._state = resized(s, self._room, slots + more, max(longest, most_hops))
        self._unused = list(range(slots + more - 1, slots - 1, -1)) + self._unused
