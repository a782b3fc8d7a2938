"""The table `storage`: what the storage of a cluster can do and how long it keeps data."""

from dcsim.cost.storage_servers import (
    YEAR_S,
    Durability,
    degraded_read_bytes_per_s,
    durability,
)
from dcsim.planner.tables import Rows
from dcsim.simulation.record import SimulationRecord
from dcsim.simulation.servers import idle_rebuild_s, storage_durability
from dcsim.simulation.spec import StorageSpec

#: What is taken where the scenario does not say how servers fail: one in a hundred a year,
#: restored after a day on average; an assumption, that of many published durability tables.
ASSUMED_FAILURES_PER_S, ASSUMED_REPAIR_S = 0.01 / YEAR_S, 86400.0

#: Said with every figure that rests on them.
_ASSUMED = (
    "taking 1 % of servers lost a year and a day to restore one; write storage.loss.mttf for yours"
)
_CHAIN = "exact birth-death chain, repairs in parallel"


def storage_rows(storage: StorageSpec | None, record: SimulationRecord | None) -> Rows:
    """Rates, durability and, where servers were lost in the run, what became of them."""
    if storage is None:
        return []
    rows: Rows = []

    def row(item: str, value: float, unit: str, reason: str) -> None:
        rows.append({"item": item, "value": float(value), "unit": unit, "reason": reason})

    parts = f"{storage.data_parts} data and {storage.parity_parts} redundant parts"
    row("servers", storage.servers, "count", parts)
    read = storage.servers * storage.read_bytes_per_s
    row("read", read, "B/s", "drives of all servers")
    write = storage.servers * storage.write_bytes_per_s / storage.write_overhead
    row("write", write, "B/s", f"{storage.write_overhead:g} bytes written for each of data")
    if storage.servers > 1 and storage.parity_parts:
        least = degraded_read_bytes_per_s(
            1, storage.servers, storage.data_parts, storage.read_bytes_per_s
        )
        row("read, one server lost", least, "B/s", "its part is computed from the others")
    for item, value, unit, reason in _lasting(storage):
        row(item, value, unit, reason)
    servers = record.servers if record is not None else None
    if servers is not None and servers.losses:
        run = f"run of seed {record.seed}" if record is not None else ""
        row("servers lost", servers.losses, "count", run)
        row("restored", servers.rebuilt_bytes, "B", run)
        row("moments with data lost", servers.data_losses, "count", run)
    return rows


def _lasting(storage: StorageSpec) -> list[tuple[str, float, str, str]]:
    """How long data lasts, by the exact chain."""
    known = storage_durability(storage)
    why = _CHAIN if known is not None else f"{_CHAIN}, {_ASSUMED}"
    lasts = known or _assumed(storage)
    found = [
        ("groups", lasts.groups, "count", "each loses data when too many of its servers are gone"),
        ("time to restore a server", lasts.repair_s, "s", "detection, replacement, idle rebuild")
        if known is not None
        else ("time to restore a server", lasts.repair_s, "s", "assumption"),
        ("mean time to data loss of a group", lasts.mean_time_to_loss_s / YEAR_S, "years", why),
        ("probability of data loss in a year", lasts.annual_loss_probability, "1", why),
    ]
    if storage.upkeep is not None and known is None:
        how = f"{storage.upkeep.rebuild}, nothing else under way"
        found.append(("rebuild of a server", idle_rebuild_s(storage), "s", how))
    return found


def _assumed(storage: StorageSpec) -> Durability:
    return durability(
        storage.servers,
        storage.data_parts,
        storage.parity_parts,
        ASSUMED_FAILURES_PER_S,
        ASSUMED_REPAIR_S,
    )
