"""Order of events within one timestamp, and the log of what happened."""

from collections.abc import Callable

import simpy
from simpy.events import NORMAL, EventPriority

from dcsim.simulation.record import EventRecord

#: Rule R1 of the reference cases: at one timestamp first every completion (what SimPy
#: calls normal, and transfers just after), then every arrival, then one scheduling pass;
#: the horizon comes last.
COMPLETION = NORMAL
ARRIVAL = EventPriority(NORMAL + 2)
PASS = EventPriority(NORMAL + 3)
LAST = EventPriority(NORMAL + 4)


def after(
    environment: simpy.Environment,
    delay_s: float,
    priority: EventPriority,
    callback: Callable[[], None],
) -> None:
    """Call `callback` in `delay_s`, in the order that `priority` gives it in its timestamp."""
    event = simpy.Event(environment)
    event._ok = True
    event._value = None
    event.callbacks.append(lambda _: callback())
    environment.schedule(event, priority=priority, delay=delay_s)


class EventLog:
    """Entries in the order in which they happened."""

    def __init__(self, environment: simpy.Environment) -> None:
        self._environment = environment
        self.entries: list[EventRecord] = []

    def add(self, kind: str, job: str = "", node: int = -1, detail: str = "") -> None:
        """Note something that happens now; `kind` is one of `EVENT_KINDS`."""
        self.entries.append(EventRecord(self._environment.now, kind, job, node, detail))
