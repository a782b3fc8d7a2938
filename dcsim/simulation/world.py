"""What every job of one simulation shares."""

from dataclasses import dataclass

import simpy

from dcsim.simulation.books import Books
from dcsim.simulation.dispatch import Dispatcher
from dcsim.simulation.events import EventLog
from dcsim.simulation.nodes import Nodes
from dcsim.simulation.policy import Policy
from dcsim.simulation.processors import Processors
from dcsim.simulation.repair import Workshop
from dcsim.simulation.servers import Servers
from dcsim.simulation.streams import Streams
from dcsim.simulation.traffic import Traffic


@dataclass(slots=True)
class World:
    """The parts of a running simulation; `unfinished` counts jobs that are not done."""

    environment: simpy.Environment
    nodes: Nodes
    workshop: Workshop
    processors: Processors
    traffic: Traffic
    servers: Servers | None
    policy: Policy
    dispatcher: Dispatcher
    books: Books
    log: EventLog
    streams: Streams
    unfinished: int
