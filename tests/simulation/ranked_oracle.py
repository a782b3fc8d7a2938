"""A slow and plain event loop with every policy of the general replay, for small cases.

Node choices come from `dcsim.scheduling.placement`, written independently of the kernels.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from dcsim.scheduling import placement

PLACE = {"best-fit": placement.best_fit, "pack": placement.pack, "spread": placement.spread}


@dataclass
class Job:
    number: int
    submit: float
    run: float
    need: int
    est: float
    user: str = ""
    priority: float = 0.0
    held: dict[int, int] | None = None
    left: float = 0.0
    est_left: float = 0.0
    attained: float = 0.0
    since: float = 0.0
    overhead: float = 0.0
    segments: list[tuple[float, float, str]] = field(default_factory=list)

    def done(self, now: float) -> float:
        return max(0.0, now - self.since - self.overhead)

    def end(self) -> float:
        return self.since + self.overhead + self.left

    def est_end(self) -> float:
        return self.since + self.overhead + self.est_left


@dataclass
class Case:
    """The policy and the machine; `windows` are (first, last, start, end, owner)."""

    order: str
    rule: str
    preempt: bool
    n_nodes: int
    per_node: int
    pool: bool = False
    mode: str = "best-fit"
    quota: int | None = None
    restart: float = 0.0
    threshold: float = 3600.0
    half_life: float = 7 * 86400.0
    windows: tuple[tuple[int, int, float, float, str | None], ...] = ()


def choose(case: Case, free: list[int], need: int) -> dict[int, int] | None:
    if case.pool:
        return {0: need} if free[0] >= need else None
    found = PLACE[case.mode](np.array(free), np.full(len(free), case.per_node), need)
    return None if found is None else dict(zip(*(x.tolist() for x in found), strict=True))


def open_nodes(case: Case, free: list[int], job: Job, at: float, est: float, running) -> list[int]:
    left = list(free)
    for first, last, start, end, owner in case.windows:
        if not (at + est > start and at < end) or owner == job.user:
            continue
        if case.pool:
            later = max(at, start)
            held = sum(
                r.need
                for r in running
                if r.est_end() > later and (owner is None or r.user != owner)
            )
            left[0] = max(0, min(left[0], case.per_node - (last - first) - held))
        else:
            for node in range(first, last):
                left[node] = 0
    return left


def take(free: list[int], held: dict[int, int], sign: int = 1) -> None:
    for node, count in held.items():
        free[node] -= sign * count


def rank(case: Case, jobs: list[Job], now: float, usage: dict[str, float]) -> list[Job]:
    total, owners = sum(usage.values()), len(usage)
    capacity = case.n_nodes * case.per_node

    def key(job: Job) -> float:
        done = job.done(now) if job.held else 0.0
        if case.order == "estimate":
            return job.est
        if case.order == "priority":
            return -job.priority
        if case.order == "remaining":
            return job.est_left - done
        if case.order == "attained":
            now_held = (now - job.since) * job.need if job.held else 0.0
            return 1.0 if job.attained + now_held >= case.threshold * (1 - 1e-9) else 0.0
        if case.order == "fair":
            factor = 2.0 ** (-usage[job.user] / total * owners) if total > 0 else 1.0
            age = min((now - job.submit) / (7 * 86400.0), 1.0)
            return -(1000 * age + 10000 * factor + 0 * job.need / capacity + 10000 * job.priority)
        return 0.0

    return sorted(jobs, key=lambda job: (key(job), job.number))


def plain_pass(case, now, queue, running, free, usage) -> list[Job]:
    """Start what the rule lets start; the jobs started, with `held` set."""
    queue = rank(case, queue, now, usage)
    started: list[Job] = []
    head, then, shadow = None, [], float("inf")
    while queue:
        if case.order == "dominant":
            held = {j.user: 0 for j in queue}
            for r in running:
                held[r.user] = held.get(r.user, 0) + r.need
            queue.sort(key=lambda j: (held[j.user], j.number))
        job = queue.pop(0)
        used = sum(r.need for r in running if r.user == job.user)
        if case.quota is not None and used + job.need > case.quota:
            continue
        found = choose(case, open_nodes(case, free, job, now, job.est, running), job.need)
        if found is None:
            if case.rule == "block":
                break
            if case.rule == "reserve" and head is None:
                head, then = job, list(free)
                ends = {r.est_end() for r in running} | {w[3] for w in case.windows if w[3] > now}
                for at in sorted(ends):
                    for r in running:
                        if r.est_end() == at:
                            take(then, r.held, -1)
                    room = open_nodes(case, then, head, at, head.est, running)
                    if choose(case, room, head.need) is not None:
                        shadow = at
                        break
            continue
        if head is not None and now + job.est > shadow:
            take(then, found)
            room = open_nodes(case, then, head, shadow, head.est, running)
            if choose(case, room, head.need) is None:
                take(then, found, -1)
                continue
        take(free, found)
        job.held, job.since, job.overhead = found, now, 0.0
        running.append(job)
        started.append(job)
    return started


def preemptive_pass(case, now, queue, running, free, usage) -> None:
    """Waiting jobs by rank, each stopping the worst-ranked running ones it needs to."""
    before = {j.number: dict(j.held) for j in running}
    marks = {j.number: (j.since, j.overhead) for j in running}
    ranked = rank(case, queue + running, now, usage)
    estimate = {j.number: j.est_left + (case.restart if j.segments else 0.0) for j in queue}
    estimate |= {j.number: j.est_end() - now + case.restart for j in running}
    holding = {j.number: j for j in running}
    views = dict(holding)

    def room_for(job: Job) -> dict[int, int] | None:
        others = [
            replace(j, since=now, overhead=0.0, est_left=estimate[j.number])
            if j.number not in before or before[j.number] != j.held
            else j
            for j in views.values()
        ]
        est = estimate[job.number]
        return choose(case, open_nodes(case, free, job, now, est, others), job.need)

    for position, job in enumerate(ranked):
        if job.number in holding:
            continue
        used = sum(j.need for j in holding.values() if j.user == job.user)
        if case.quota is not None and used + job.need > case.quota:
            continue
        found = room_for(job)
        stopped: list[Job] = []
        worse = [j for j in ranked[position + 1 :] if j.number in holding]
        while found is None and worse:
            victim = worse.pop()
            stopped.insert(0, victim)
            take(free, victim.held, -1)
            del views[victim.number]
            found = room_for(job)
        for victim in list(stopped):
            if any(free[node] < count for node, count in victim.held.items()):
                continue
            take(free, victim.held)
            views[victim.number] = victim
            if found is not None and room_for(job) is None:
                take(free, victim.held, -1)
                del views[victim.number]
            else:
                stopped.remove(victim)
        for victim in stopped:
            del holding[victim.number]
        if found is None:
            if case.rule == "block":
                break
            continue
        job.held = room_for(job)
        take(free, job.held)
        holding[job.number] = views[job.number] = job
    for j in ranked:
        was, now_holds = before.get(j.number), j.number in holding
        if was is not None and now_holds and j.held == was:
            j.since, j.overhead = marks[j.number]
            continue
        if was is not None:
            done = j.done(now)
            j.left, j.est_left = j.left - done, j.est_left - done
            j.attained += (now - j.since) * j.need
            j.segments.append((j.since, now, "migrated" if now_holds else "preempted"))
        if now_holds:
            j.overhead = case.restart if j.segments else 0.0
            j.since = now
        else:
            j.held = None
    running[:] = [j for j in ranked if j.number in holding]


def simulate(case: Case, jobs: list[Job]) -> list[list[tuple[float, float, str]]]:
    """Segments (start, end, reason) of every job, in the order of their numbers."""
    for job in jobs:
        job.left, job.est_left = job.run, job.est
    free = [case.per_node] * case.n_nodes
    usage = {job.user: 0.0 for job in jobs}
    coming, queue, running = list(jobs), [], []
    now = float("-inf")
    while True:
        times = [j.submit for j in coming] + [j.end() for j in running]
        times += [w[3] for w in case.windows if w[3] > now]
        if case.order == "attained":
            falls = [
                j.since + (case.threshold - j.attained) / j.need
                for j in running
                if j.attained < case.threshold
            ]
            times += [at for at in falls if at > now]
        if not times or not (coming or queue or running):
            return [j.segments for j in jobs]
        before, now = now, min(times)
        if np.isfinite(before):
            fade = 0.5 ** ((now - before) / case.half_life)
            for user in usage:
                held = sum(j.need for j in running if j.user == user)
                usage[user] *= fade
                usage[user] += held * ((1 - fade) * case.half_life / np.log(2.0))
        for job in [j for j in running if j.end() == now]:
            running.remove(job)
            take(free, job.held, -1)
            job.segments.append((job.since, now, "completed"))
        queue += [j for j in coming if j.submit == now]
        coming = [j for j in coming if j.submit > now]
        if case.preempt:
            preemptive_pass(case, now, queue, running, free, usage)
        else:
            plain_pass(case, now, queue, running, free, usage)
        # a job that was stopped waits again; one that completed has no place left
        busy = {j.number for j in running}
        over = {j.number for j in jobs if j.segments and j.segments[-1][2] == "completed"}
        stopped = [j for j in jobs if j.segments and j not in queue]
        queue = [j for j in queue + stopped if j.number not in busy | over]
