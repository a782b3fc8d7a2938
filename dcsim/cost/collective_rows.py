"""`dcsim estimate collectives`: one prediction for each row of a table."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dcsim import catalogue
from dcsim.catalogue.records import Accelerator
from dcsim.cost.collective_fit import CollectiveFit, shipped_collective_fit, technology
from dcsim.cost.collective_forms import AUTOMATIC, Shares, Span, best, load, seconds

COLUMNS = (
    "row_id",
    "status",
    "reason",
    "predicted_busbw_GBps",
    "predicted_time_us",
    "low_us",
    "high_us",
    "algorithm",
    "assumptions",
)

GB = 1e9
#: Payload from which on rows count as large.
LARGE_BYTES = 64 * 2**20
#: Accelerators of a node when the row does not say.
NODE = 8

#: Words of a system's name that tell its network.
NETWORKS: Mapping[str, tuple[str, ...]] = {
    "efa1": ("p3dn", "p4d", "p4de"),
    "efa": ("EFA", "p5", "p5en"),
    "tcp": ("TCPX", "TCPXO", "A3 Mega"),
}

#: Port rate of the NICs sold with a generation of fast links, bytes/s. Where a system is
#: not stated exactly, one port may serve one, two or four accelerators.
PORT_BYTES_PER_S: Mapping[str, float] = {
    "NVLink2": 12.5e9,
    "NVLink3": 25e9,
    "NVLink4": 50e9,
    "NVLink5": 50e9,
    "xGMI": 50e9,
}


class Unpredictable(Exception):
    """Why a row is refused."""


@dataclass(slots=True)
class Question:
    """A row, resolved: what runs where. Several NIC rates where the rate is not known."""

    kind: str
    algorithm: str | None
    size_bytes: float
    ranks: int
    width: int
    link_type: str
    fast_bytes_per_s: float
    net_bytes_per_s: tuple[float, ...]
    network: str
    assumptions: list[str]
    guessed: bool = False


def estimate_collective_rows(
    table: Sequence[Mapping[str, str]], fit: CollectiveFit | None = None
) -> list[dict[str, Any]]:
    """Predict each row from its system, ranks, collective, algorithm and bytes.

    Columns with measurements, `status` and notes are not read. A row is `refused`, with the
    reason, when it has no size or no ranks, or names no link that could be looked up.
    """
    used = fit or shipped_collective_fit()
    return [_row(row, number, used) for number, row in enumerate(table, start=1)]


def _row(row: Mapping[str, str], number: int, fit: CollectiveFit) -> dict[str, Any]:
    out: dict[str, Any] = dict.fromkeys(COLUMNS)
    out["row_id"] = row.get("row_id") or number
    try:
        question = resolve(row)
    except Unpredictable as reason:
        return out | {"status": "refused", "reason": str(reason)}
    answers = sorted(answer(question, rate, fit) for rate in question.net_bytes_per_s)
    time_s, name = answers[len(answers) // 2]
    width = math.exp(_spread(question, fit))
    factor = bus_factor(question.kind, question.ranks)
    return out | {
        "status": "ok",
        "predicted_busbw_GBps": factor * question.size_bytes / time_s / GB,
        "predicted_time_us": time_s * 1e6,
        "low_us": answers[0][0] / width * 1e6,
        "high_us": answers[-1][0] * width * 1e6,
        "algorithm": name,
        "assumptions": "; ".join(question.assumptions),
    }


def answer(question: Question, net_bytes_per_s: float, fit: CollectiveFit) -> tuple[float, str]:
    """Seconds and algorithm of one question on a network of this rate."""
    found, _ = technology(fit, question.link_type)
    span = Span(
        np.array([[float(question.width)], [float(question.ranks)]]),
        np.array([[question.fast_bytes_per_s], [net_bytes_per_s]]),
    )
    net = fit.networks.get(question.network, fit.networks["rdma"])
    shares = Shares(
        found.ring, found.in_switch, fit.net_ring * net.share, fit.net_tree * net.share, net.hop_s
    )
    name = question.algorithm
    if name is None:
        times, names = best(question.kind, question.size_bytes, span, shares, fit.start)
        return float(times[0]), str(names[0])
    work = load(question.kind, name, question.size_bytes, span)
    time_s = float(seconds(name, work, span, shares, fit.start)[0])
    if not math.isfinite(time_s):
        time_s = float(
            seconds(
                "ring",
                load(question.kind, "ring", question.size_bytes, span),
                span,
                shares,
                fit.start,
            )[0]
        )
        name = "ring"
    return time_s, name


def bus_factor(kind: str, ranks: int) -> float:
    """Bus bandwidth over algorithm bandwidth, as the NCCL tests define it."""
    share = (ranks - 1) / ranks
    return {
        "all_reduce": 2.0 * share,
        "all_gather": share,
        "reduce_scatter": share,
        "all_to_all": share,
    }.get(kind, 1.0)


def _spread(question: Question, fit: CollectiveFit) -> float:
    """Half width of the interval in log time."""
    size = "large" if question.size_bytes >= LARGE_BYTES else "small"
    place = "across" if question.ranks > question.width else "inside"
    spread = fit.error[f"{size}-{place}"]
    known = technology(fit, question.link_type)[1]
    if not known:
        question.assumptions.append("a link technology without measurements")
    return spread if known and not question.guessed else max(spread, fit.error["unknown"])


def resolve(row: Mapping[str, str]) -> Question:
    """What a row asks; raises Unpredictable with the reason when that cannot be told."""
    size = _number(row, "bytes")
    if size is None:
        raise Unpredictable("bytes is empty or no positive number")
    ranks = _number(row, "n_gpus")
    if ranks is None or ranks < 2 or ranks != int(ranks):
        raise Unpredictable("n_gpus is no whole number of at least 2")
    kind = (
        (row.get("collective") or "")
        .strip()
        .lower()
        .replace("-", "_")
        .replace("alltoall", "all_to_all")
    )
    if kind not in AUTOMATIC:
        raise Unpredictable(f"the collective is none of {', '.join(AUTOMATIC)}")
    assumptions: list[str] = []
    system = row.get("system") or ""
    chip = accelerator_of(system)
    nodes = _nodes(row, int(ranks), assumptions)
    intra, inter = _rates(row)
    domain = _number(row, "nvlink_domain")
    rack = "MNNVL" in system or "rack" in (row.get("link_GBps_per_gpu") or "")
    width = int(min(ranks, domain or (ranks if rack else -(-int(ranks) // nodes))))
    if ranks % width:
        width = math.gcd(int(ranks), width)
        assumptions.append(f"{width} accelerators of each fast domain take part")
    if intra is None and chip is None:
        raise Unpredictable(
            "neither the system nor a link rate says how fast accelerators are joined"
        )
    link_type = chip.link_type if chip else _link_type(intra or 0.0)
    if chip is None:
        assumptions.append(f"fast links taken for {link_type or 'an unknown kind'} by their rate")
    if intra is None and chip is not None:
        intra = chip.link_bytes_per_s
        assumptions.append(f"fast links of {chip.name}: {intra / GB:g} GB/s")
    question = Question(
        kind=kind,
        algorithm=_algorithm(row, kind),
        size_bytes=size,
        ranks=int(ranks),
        width=width,
        link_type=link_type,
        fast_bytes_per_s=float(intra or 0.0),
        net_bytes_per_s=(inter or math.inf,),
        network=_network(system),
        assumptions=assumptions,
    )
    if question.ranks > question.width and inter is None:
        _guess_network(question, system, chip)
    if "degraded" in system:
        assumptions.append("predicted as healthy, though its name says degraded")
    return question


def _number(row: Mapping[str, str], key: str) -> float | None:
    try:
        value = float(row.get(key) or "nan")
    except ValueError:
        return None
    return value if 0.0 < value < math.inf else None


def _nodes(row: Mapping[str, str], ranks: int, assumptions: list[str]) -> int:
    nodes = _number(row, "n_nodes")
    if nodes is not None:
        return max(int(nodes), 1)
    found = -(-ranks // NODE)
    assumptions.append(f"{found} nodes of up to {NODE} accelerators")
    return found


def _rates(row: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Bytes/s of an accelerator inside and across, from either form of the columns."""
    intra, inter = _number(row, "intra_GBps"), _number(row, "inter_GBps")
    for part in (row.get("link_GBps_per_gpu") or "").split("/"):
        match = re.match(r"\s*([0-9.]+)\s+(\w+)", part)
        if match and match[2] in ("intra", "p2p") and intra is None:
            intra = float(match[1])
        elif match and match[2] == "inter" and inter is None:
            inter = float(match[1])
    return (intra * GB if intra else None), (inter * GB if inter else None)


def accelerator_of(system: str) -> Accelerator | None:
    """The catalogue's accelerator that a system's name mentions, the longest name first."""
    words = re.findall(r"[A-Za-z]+[0-9]+[A-Za-z]*", system)
    words = [re.sub(r"^[0-9]*x", "", word) for word in words]
    families: dict[str, str] = {}
    for name in catalogue.names("accelerators"):
        families.setdefault(name.split("-")[0], name)
    named = sorted((word for word in words if word in families), key=len, reverse=True)
    if not named:
        return None
    preferred = f"{named[0]}-SXM"
    known = catalogue.names("accelerators")
    return catalogue.accelerator(preferred if preferred in known else families[named[0]])


def _link_type(rate: float) -> str:
    """Link type of the catalogue's accelerators whose rate this is."""
    for name in catalogue.names("accelerators"):
        chip = catalogue.accelerator(name)
        if math.isclose(chip.link_bytes_per_s, rate, rel_tol=0.01):
            return chip.link_type
    return ""


def _network(system: str) -> str:
    for name, words in NETWORKS.items():
        if any(re.search(rf"\b{re.escape(word)}\b", system) for word in words):
            return name
    return "rdma"


def _guess_network(question: Question, system: str, chip: Accelerator | None) -> None:
    """NICs as they are sold with the accelerator, or several where it is not stated exactly."""
    generation = next((g for g in PORT_BYTES_PER_S if question.link_type.startswith(g)), None)
    port = PORT_BYTES_PER_S.get(generation or "", 50e9)
    exact = chip is not None and not re.search(r"class|not stated|unknown", system)
    question.net_bytes_per_s = (port,) if exact else (port, port / 2, port / 4)
    question.guessed = True
    rates = " or ".join(f"{rate / GB:g}" for rate in question.net_bytes_per_s)
    question.assumptions.append(f"network of {rates} GB/s for each accelerator")


def _algorithm(row: Mapping[str, str], kind: str) -> str | None:
    """The algorithm that the row asks for; None where the library chooses."""
    asked = (row.get("algo") or "").lower()
    if kind != "all_reduce" or asked.startswith("auto") or not asked:
        return None
    if "nvls" in asked and "off" not in asked:
        return "in-switch"
    if "tree" in asked:
        return "tree"
    return "ring" if "ring" in asked else None


def collective_errors(
    table: Sequence[Mapping[str, str]], predicted: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Error figures over all measured rows, those of at least 1 GiB and each collective.

    A row counts as measured when it has a `time_us` and no `status` but `measured`; errors
    are predicted / measured - 1 as fractions, as in `estimate training`.
    """
    measured = []
    for row, answer_ in zip(table, predicted, strict=True):
        time_us = _number(row, "time_us")
        if time_us is not None and (row.get("status") or "measured") == "measured":
            measured.append((row, answer_, time_us))
    blocks = {"all": measured}
    blocks["1 GiB and above"] = [m for m in measured if (_number(m[0], "bytes") or 0.0) >= 2**30]
    for kind in AUTOMATIC:
        blocks[kind] = [m for m in measured if (m[0].get("collective") or "") == kind]
    return [{"block": name} | _figures(rows) for name, rows in blocks.items() if rows]


def _figures(
    rows: Sequence[tuple[Mapping[str, str], Mapping[str, Any], float]],
) -> dict[str, Any]:
    known = [(p, t) for _, p, t in rows if p["predicted_time_us"] is not None]
    figures: dict[str, Any] = {"n": len(known), "n_missing": len(rows) - len(known)}
    if not known:
        return figures | dict.fromkeys(("median", "p90", "bias", "coverage90"))
    error = np.array([p["predicted_time_us"] / t - 1.0 for p, t in known])
    inside = [p["low_us"] <= t <= p["high_us"] for p, t in known]
    return figures | {
        "median": float(np.median(np.abs(error))),
        "p90": float(np.quantile(np.abs(error), 0.9)),
        "bias": float(np.mean(error)),
        "coverage90": float(np.mean(inside)),
        "mean": float(np.mean(np.abs(error))),
    }
