"""Accelerator-seconds that jobs spent, by pool and ledger class."""

from collections.abc import Iterable, Mapping, Sequence

from dcsim.records import LEDGER_CLASSES, Ledger
from dcsim.simulation.nodes import AWAY_CLASS, Nodes


class Books:
    """What jobs post whenever a stretch of theirs ends."""

    def __init__(self, pools: int) -> None:
        self.held_s: list[dict[str, float]] = [{} for _ in range(pools)]

    def post(self, pool: int, ledger_class: str, accelerator_s: float) -> None:
        """`accelerator_s` accelerator-seconds of `pool` went into `ledger_class`."""
        held = self.held_s[pool]
        held[ledger_class] = held.get(ledger_class, 0.0) + accelerator_s


def pool_ledgers(
    books: Books, nodes: Nodes, end_s: float, queued_s: Sequence[float]
) -> dict[str, Ledger]:
    """The ledger of each pool at the end; `queued_s` are accelerator-seconds in the queue.

    Nodes that are away with somebody else are no capacity for that time.
    """
    return {
        pool.name: _ledger(
            (books.held_s[number], nodes.idle_s[number]),
            pool.nodes * pool.accelerators_per_node * end_s
            - nodes.idle_s[number].get(AWAY_CLASS, 0.0),
            queued_s[number],
        )
        for number, pool in enumerate(nodes.pools)
    }


def total_ledger(ledgers: Iterable[Ledger]) -> Ledger:
    """The sum of several ledgers."""
    parts = tuple(ledgers)
    return _ledger(
        tuple(part.seconds for part in parts),
        sum(part.capacity_s for part in parts),
        sum(part.queued_s for part in parts),
    )


def _ledger(parts: Sequence[Mapping[str, float]], capacity_s: float, queued_s: float) -> Ledger:
    seconds = {name: sum(part.get(name, 0.0) for part in parts) for name in LEDGER_CLASSES}
    return Ledger(seconds, capacity_s, queued_s)
