"""A picture of a fabric that a person can read, at 16 accelerators and at 16,384.

Small fabrics are drawn switch by switch. In large ones the switches of one tier and pod
become one box that says how many they are, and of many such boxes the first few and the
last are shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dcsim.topology.builders import build_graph
from dcsim.topology.graph import Graph
from dcsim.topology.spec import GroupLike, NetworkLike, stations
from dcsim.units import format_bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Up to so many vertices each is drawn by itself.
MOST_VERTICES = 40
#: Of more boxes in a row than this, the first ones and the last are drawn.
MOST_BOXES = 5
SHOWN_FIRST = 3

#: Colours that differ in lightness as well (Okabe and Ito 2008).
COLOURS: Mapping[str, str] = {
    "node": "#56B4E9",
    "storage": "#F0E442",
    "switch": "#DDDDDD",
    "accelerator": "#56B4E9",
}
LINE = "#555555"


@dataclass(slots=True)
class Box:
    """Vertices drawn as one: their kind, tier, how many and what is said of them."""

    kind: str
    tier: int
    pod: int
    names: list[str] = field(default_factory=list)
    inner_cables: int = 0


@dataclass(slots=True)
class Bundle:
    """Cables between two boxes."""

    cables: int = 0
    bytes_per_s: float = 0.0
    to_storage: bool = False


@dataclass(frozen=True, slots=True)
class Sketch:
    """Boxes by row, bottom first, and the cables between them by the boxes' identities."""

    rows: tuple[tuple[Box, ...], ...]
    bundles: Mapping[tuple[int, int], Bundle]


def draw_fabric(
    network: NetworkLike,
    groups: Sequence[GroupLike],
    storage_servers: int = 0,
    storage_bytes_per_s: float = 0.0,
) -> "Figure":
    """A matplotlib figure of the fabric that `build_fabric` builds from the same arguments."""
    ends = stations(network, groups, storage_servers, storage_bytes_per_s)
    sketch = sketch_of(build_graph(network, groups, ends))
    accelerators = sum(group.count * group.node.accelerators for group in groups)
    title = f"{network.topology}: {_count(accelerators, 'accelerator')}"
    return _figure(sketch, title, _per_node(groups))


def sketch_of(graph: Graph) -> Sketch:
    """Gather the vertices of a graph into boxes, one each where they are few."""
    single = len(graph) <= MOST_VERTICES
    pods = _pods(graph)
    boxes: dict[Any, Box] = {}
    home: dict[str, Box] = {}
    for name, data in graph.nodes(data=True):
        key = name if single else (data["kind"], data["tier"], pods[name])
        box = boxes.setdefault(key, Box(data["kind"], data["tier"], pods[name]))
        box.names.append(name)
        home[name] = box
    bundles: dict[tuple[int, int], Bundle] = {}
    for one, other, data in graph.edges(data=True):
        low, high = home[one], home[other]
        if low is high:
            low.inner_cables += 1
            continue
        key = (min(id(low), id(high)), max(id(low), id(high)))
        bundle = bundles.setdefault(key, Bundle())
        bundle.cables += 1
        bundle.to_storage = data["kind"] == "storage"
        bundle.bytes_per_s += data["capacity_bytes_per_s"]
    tiers = sorted({box.tier for box in boxes.values()})
    rows = tuple(
        tuple(sorted((b for b in boxes.values() if b.tier == tier), key=_order)) for tier in tiers
    )
    return Sketch(rows, bundles)


def _order(box: Box) -> tuple[bool, int]:
    """From left to right by pod, storage last."""
    return box.kind == "storage", box.pod


def _pods(graph: Graph) -> dict[str, int]:
    """Pod of every vertex; a station is in the first pod that it has a cable to."""
    pods = {}
    for name, data in graph.nodes(data=True):
        pods[name] = data["pod"]
        if data["kind"] in ("node", "storage"):
            pods[name] = min((graph.nodes[other]["pod"] for other in graph[name]), default=0)
    return pods


def _per_node(groups: Sequence[GroupLike]) -> str:
    kinds = {f"{group.node.accelerators} × {group.node.accelerator}" for group in groups}
    return kinds.pop() if len(kinds) == 1 else ""


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _figure(sketch: Sketch, title: str, per_node: str) -> "Figure":
    from matplotlib.figure import Figure

    shown = [_shown(row) for row in sketch.rows]
    widest = max(len(row) for row in shown)
    height = 1.1 + 1.15 * len(shown)
    figure = Figure(figsize=(max(4.5, min(1.25 * widest, 12.0)), height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
    places: dict[int, tuple[float, float]] = {}
    for level, row in enumerate(shown):
        for index, box in enumerate(row):
            x, y = (index + 0.5) / len(row), float(level)
            if box is None:
                hidden = len(sketch.rows[level]) - len(row) + 1
                axes.text(x, y, f"… {hidden} more …", ha="center", va="center", fontsize=8)
                continue
            places[id(box)] = (x, y)
            _draw_box(axes, box, x, y, 0.85 / len(row), per_node)
    _draw_cables(axes, sketch, places)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    return figure


def _shown(row: Sequence[Box]) -> list[Box | None]:
    """The boxes to draw; None stands for those left out."""
    few = MOST_VERTICES if all(len(box.names) == 1 for box in row) else MOST_BOXES
    if len(row) <= few:
        return list(row)
    return [*row[:SHOWN_FIRST], None, row[-1]]


def _draw_box(axes: "Axes", box: Box, x: float, y: float, width: float, per_node: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    height = 0.4
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.02",
            facecolor=COLOURS[box.kind],
            edgecolor=LINE,
            linewidth=0.8,
            zorder=2,
        )
    )
    crowded = width < 0.07
    axes.text(
        x,
        y,
        _label(box, per_node, crowded),
        ha="center",
        va="center",
        fontsize=7,
        rotation=90 if crowded else 0,
        zorder=3,
    )


def _label(box: Box, per_node: str, crowded: bool) -> str:
    """What a box holds, in one line or two."""
    if len(box.names) == 1:
        extra = f"\n{per_node}" if box.kind == "node" and per_node and not crowded else ""
        return box.names[0] + extra
    tier = {1: "leaf switch", 2: "spine switch", 3: "core switch"}.get(box.tier, "switch")
    noun = {"switch": tier, "storage": "storage server"}.get(box.kind, box.kind)
    if box.kind == "switch" and box.names[0].startswith("router"):
        noun = "router"
    lines = [_count(len(box.names), noun)]
    if box.kind == "node" and per_node:
        lines.append(f"of {per_node}")
    if box.inner_cables:
        lines.append(_count(box.inner_cables, "cable") + " inside")
    return "\n".join(lines)


def _draw_cables(axes: "Axes", sketch: Sketch, places: Mapping[int, tuple[float, float]]) -> None:
    """Lines between boxes, told by their label; of many alike only the first has one."""
    from matplotlib.patches import FancyArrowPatch

    told: set[tuple[float, float, bool]] = set()
    for (one, other), bundle in sketch.bundles.items():
        if one not in places or other not in places:
            continue
        low, high = sorted((places[one], places[other]), key=lambda place: place[1])
        level = low[1] == high[1]
        start = (low[0], low[1] + 0.2)
        end = (high[0], high[1] + 0.2 if level else high[1] - 0.2)
        bend = "arc3,rad=-0.25" if low[0] < high[0] else "arc3,rad=0.25"
        axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-",
                connectionstyle=bend if level else "arc3,rad=0",
                color=LINE,
                linewidth=0.6,
                zorder=1,
            )
        )
        kind = (low[1], high[1], bundle.to_storage)
        if kind not in told and high[1] - low[1] <= 1.0:
            told.add(kind)
            x = (start[0] + end[0]) / 2 if level else start[0] + 0.3 * (end[0] - start[0])
            y = low[1] + 0.36 if level else start[1] + 0.3 * (end[1] - start[1])
            text = f"{bundle.cables:,} × {format_bits(bundle.bytes_per_s / bundle.cables)}"
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            axes.text(x, y, text, ha="center", va="center", fontsize=7, zorder=4, bbox=box)
