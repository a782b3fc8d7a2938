"""A user's own graph: GraphML or node-link JSON.

Vertices carry `kind` (`node`, `storage` or `switch`, the default); edges carry `capacity`
(`400 Gb/s`, or bytes/s as a number) and, if they like, `latency` (`2 us`, or seconds).
Vertices of kind node become the scenario's nodes in the order of the file, storage
vertices its servers; other attributes are ignored.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import networkx as nx

from dcsim.records import Fault, InputError
from dcsim.topology.graph import Graph, new_graph
from dcsim.topology.spec import SWITCH_LATENCY_S, Station
from dcsim.units import QuantityError, parse

KINDS = ("node", "storage", "switch")


def read_graph(path: Path, stations: Sequence[Station]) -> Graph:
    """The graph of a file, its stations named after the scenario's; raises InputError.

    Storage vertices are left out when the scenario has no storage.
    """
    raw = _raw(path)
    if all(station.kind == "node" for station in stations):
        raw.remove_nodes_from([v for v, data in raw.nodes(data=True) if _kind(data) == "storage"])
    names = _names(raw, stations, path)
    graph = new_graph()
    for vertex, data in raw.nodes(data=True):
        tier = 0 if _kind(data) != "switch" else int(data.get("tier", 1))
        graph.add_node(names[vertex], kind=_kind(data), tier=tier, pod=0)
    taken: dict[str, int] = {}
    for one, other, data in raw.edges(data=True):
        ends = names[one], names[other]
        between = " and ".join(f'"{v}"' for v in (one, other))
        if one == other:
            raise InputError(Fault(f'the cable at "{one}" ends where it begins', str(path)))
        rate = _quantity(data, "capacity", "rate", between, path)
        latency = _quantity(data, "latency", "time", between, path, SWITCH_LATENCY_S)
        _add_cable(graph, ends, rate, latency, taken)
    return graph


def _kind(data: Mapping[str, Any]) -> str:
    return str(data.get("kind", "switch"))


def _raw(path: Path) -> Any:
    try:
        if path.suffix == ".json":
            document = json.loads(path.read_text(encoding="utf-8"))
            edges = "links" if "links" in document else "edges"
            return nx.node_link_graph(document, directed=False, multigraph=True, edges=edges)
        return nx.MultiGraph(nx.read_graphml(path))
    except OSError as error:
        reason = error.strerror or "not a file"
        raise InputError(Fault(f"cannot read the graph ({reason})", str(path))) from error
    except Exception as error:  # networkx raises whatever its parsers raise
        message = "the file is neither GraphML nor node-link JSON that networkx reads"
        raise InputError(Fault(message, str(path))) from error


def _names(raw: Any, stations: Sequence[Station], path: Path) -> dict[Any, str]:
    """The scenario's name of every vertex; switches keep their own."""
    names = {vertex: str(vertex) for vertex in raw}
    for kind in ("node", "storage"):
        mine = [s.name for s in stations if s.kind == kind]
        theirs = [v for v, data in raw.nodes(data=True) if _kind(data) == kind]
        if len(mine) != len(theirs):
            raise InputError(
                Fault(
                    f"the graph has {len(theirs)} vertices of kind {kind}, the scenario "
                    f"{len(mine)}; make them equal",
                    str(path),
                )
            )
        names |= dict(zip(theirs, mine, strict=True))
    for vertex, data in raw.nodes(data=True):
        if _kind(data) not in KINDS:
            kinds = ", ".join(KINDS)
            raise InputError(
                Fault(f'vertex "{vertex}" is of kind "{data["kind"]}"; use {kinds}', str(path))
            )
    if len(set(names.values())) < len(names):
        raise InputError(Fault("two vertices have the same name; rename one", str(path)))
    return names


def _quantity(
    data: Mapping[str, Any],
    key: str,
    dimension: str,
    between: str,
    path: Path,
    default: float | None = None,
) -> float:
    value = data.get(key, default)
    if value is None:
        raise InputError(
            Fault(f'the cable between {between} has no {key}; give it as in "400 Gb/s"', str(path))
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        try:
            number = parse(value, dimension)
        except QuantityError as error:
            raise InputError(Fault(f"{key} between {between}: {error}", str(path))) from error
    if not (0.0 < number < float("inf") or (key == "latency" and number == 0.0)):
        raise InputError(
            Fault(f"the {key} between {between} is {number:g}; use a value above 0", str(path))
        )
    return number


def _add_cable(
    graph: Graph, ends: tuple[str, str], rate: float, latency: float, taken: dict[str, int]
) -> None:
    """A cable; between two stations it gets a point in the middle that passes data on."""
    stations = [end for end in ends if graph.nodes[end]["kind"] != "switch"]
    if len(stations) == 2:
        middle = f"{ends[0]}~{ends[1]}"
        if middle not in graph:
            graph.add_node(middle, kind="switch", tier=1, pod=0)
        for end in ends:
            _add_cable(graph, (end, middle), rate, latency / 2, taken)
        return
    kind, nic = "cable", -1
    if stations:
        kind = "nic" if graph.nodes[stations[0]]["kind"] == "node" else "storage"
        nic = taken[stations[0]] = taken.get(stations[0], -1) + 1
    graph.add_edge(*ends, kind=kind, nic=nic, capacity_bytes_per_s=rate, latency_s=latency)
