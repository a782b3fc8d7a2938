"""What a fabric is built of, with price and power."""

from collections import Counter
from dataclasses import dataclass

from dcsim import catalogue
from dcsim.records import Source
from dcsim.topology.graph import Graph


@dataclass(frozen=True, slots=True)
class Part:
    """A line of the bill of materials: `count` pieces at a price and a power each."""

    name: str
    count: int
    price_usd: float
    power_w: float


@dataclass(frozen=True, slots=True)
class Parts:
    """Switches, cables and optics of a fabric."""

    lines: tuple[Part, ...] = ()
    source: Source | None = None

    def count(self, name: str) -> int:
        """Pieces whose name starts with `name`; 0 when there are none."""
        return sum(line.count for line in self.lines if line.name.startswith(name))

    @property
    def price_usd(self) -> float:
        """Price of everything."""
        return sum(line.count * line.price_usd for line in self.lines)

    @property
    def power_w(self) -> float:
        """Power of everything."""
        return sum(line.count * line.power_w for line in self.lines)


#: Link technologies of the catalogue that a fabric is built of, slowest first.
TECHNOLOGIES = (
    "infiniband-edr",
    "infiniband-hdr",
    "infiniband-ndr",
    "infiniband-xdr",
)

#: A passive copper or short optical cable and a pair of transceivers for a longer one, by
#: rate of the port; powers are of both ends together. List prices, from memory.
CABLE_USD_PER_100_GBITS = 75.0
OPTICS_USD_PER_100_GBITS = 500.0
OPTICS_W_PER_100_GBITS = 4.0

_SOURCE = Source(
    "list prices of cables and transceivers; ports from the catalogue's links",
    "from-memory",
    "2024-06",
)


def parts_of(graph: Graph, radix: int) -> Parts:
    """Count the switches, cables and optics of a graph and price them by port rate.

    A switch is priced by all its `radix` ports. Cables to a station are copper or short;
    cables between switches have a transceiver at both ends.
    """
    switches: Counter[tuple[str, str]] = Counter()
    cables: Counter[tuple[str, float]] = Counter()
    for name, data in graph.nodes(data=True):
        if data["kind"] == "switch":
            rates = [e["capacity_bytes_per_s"] for *_, e in graph.edges(name, data=True)]
            switches[_tier_name(data["tier"]), _technology(max(rates, default=0.0))] += 1
    for _, _, data in graph.edges(data=True):
        cables[data["kind"], data["capacity_bytes_per_s"]] += 1
    lines = []
    for (tier, technology), count in sorted(switches.items()):
        port = catalogue.link(technology)
        lines.append(
            Part(
                f"{tier} switch ({technology}, {radix} ports)",
                count,
                radix * port.port_price_usd,
                radix * port.port_power_w,
            )
        )
    for (kind, rate), count in sorted(cables.items()):
        hundreds = rate * 8.0 / 100e9
        lines.append(Part(f"{kind} cable", count, CABLE_USD_PER_100_GBITS * hundreds, 0.0))
        if kind in OPTICAL:
            lines.append(
                Part(
                    f"{kind} optics (pair)",
                    count,
                    OPTICS_USD_PER_100_GBITS * hundreds,
                    OPTICS_W_PER_100_GBITS * hundreds,
                )
            )
    return Parts(tuple(lines), _SOURCE)


#: Kinds of cables that are too long for copper.
OPTICAL = frozenset({"leaf-spine", "spine-core", "global", "cable"})


def _tier_name(tier: int) -> str:
    return {1: "leaf", 2: "spine", 3: "core"}.get(tier, "other")


def _technology(rate: float) -> str:
    """The slowest technology whose ports carry this rate; the fastest when none does."""
    for name in TECHNOLOGIES:
        if catalogue.link(name).bytes_per_s >= rate * 0.999:
            return name
    return TECHNOLOGIES[-1]
