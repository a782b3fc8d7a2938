"""Tables of the catalogue in 80 columns, and single entries in full."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcsim.records import Source

_WIDTH = 80
_GAP = 2

#: A column: its head and how a cell is written; numbers align right.
Column = tuple[str, Callable[[Any], str]]


def _columns(kind: str) -> list[Column]:
    """The columns of a kind's table; the name comes first and the source status last."""
    from dcsim.units import format_bits, format_quantity, number

    def size(field: str, dimension: str) -> Callable[[Any], str]:
        return lambda r: _or_dash(getattr(r, field), lambda v: format_quantity(v, dimension))

    def field_of(field: str) -> Callable[[Any], str]:
        return lambda r: _or_dash(getattr(r, field), lambda v: f"{v:,}" if _is_int(v) else str(v))

    def peak(kind_of_number: str) -> Callable[[Any], str]:
        return lambda r: _or_dash(r.peak_flops.get(kind_of_number, 0.0), lambda v: f"{v / 1e12:g}")

    tables: dict[str, list[Column]] = {
        "accelerators": [
            ("bf16 TF", peak("bf16")),
            ("fp8 TF", peak("fp8")),
            ("GiB", lambda r: number(r.memory_bytes / 2**30)),
            ("GB/s", lambda r: f"{r.memory_bytes_per_s / 1e9:g}"),
            ("link", lambda r: f"{r.link_bytes_per_s / 1e9:g}"),
            ("W", lambda r: _or_dash(r.tdp_w, lambda v: f"{v:g}")),
        ],
        "nodes": [
            (
                "accelerators",
                _accelerators,
            ),
            ("Gb/s", lambda r: f"{r.nic_bytes_per_s * 8e-9:g}"),
            ("kW", lambda r: number(r.peak_w / 1e3, 2)),
            ("k USD", lambda r: _or_dash(r.price_usd, lambda v: f"{v / 1e3:g}")),
            ("USD/acc-h", _rent),
        ],
        "models": [
            ("layers", field_of("layers")),
            ("hidden", field_of("hidden")),
            ("heads", lambda r: f"{r.heads}/{r.kv_heads}" if r.heads else "-"),
            ("vocab", field_of("vocab")),
            ("context", field_of("seq_len")),
            ("size", size("published_parameters", "count")),
        ],
        "storage": [
            ("read", size("server_read_bytes_per_s", "rate")),
            ("write", size("server_write_bytes_per_s", "rate")),
            ("capacity", size("server_capacity_bytes", "data")),
            ("redundancy", field_of("redundancy")),
        ],
        "links": [
            ("bandwidth", lambda r: format_bits(r.bytes_per_s)),
            ("latency", size("latency_s", "time")),
            ("port", size("port_power_w", "power")),
            ("price", size("port_price_usd", "money")),
        ],
        "sites": [
            ("g CO2e/kWh", lambda r: number(r.carbon_kg_per_kwh * 1e3)),
            ("USD/kWh", lambda r: number(r.tariff_usd_per_kwh)),
            ("PUE", lambda r: f"{r.pue:g}"),
        ],
        "failures": [
            ("per 1,000 accelerators and day", _failure_rate),
            ("basis", field_of("basis")),
        ],
        "prices": [
            ("item", lambda r: r.item[:24]),
            ("region", lambda r: r.region[:11]),
            ("price", lambda r: f"{r.price_usd:,.10g} {r.unit}"),
        ],
    }
    columns = tables.get(kind)
    if columns is None:
        return [("what it is", lambda r: r.description)]
    return [*columns, ("source", lambda r: r.source.status)]


def _is_int(value: Any) -> bool:
    return isinstance(value, int)


def _or_dash(value: Any, write: Callable[[Any], str]) -> str:
    return write(value) if value else "-"


def _accelerators(node: Any) -> str:
    return f"{node.accelerators} {node.accelerator}" if node.accelerators else "-"


def _rent(node: Any) -> str:
    if not node.rent_usd_per_accelerator_hour:
        return "-"
    low = node.rent_low_usd_per_accelerator_hour
    high = node.rent_high_usd_per_accelerator_hour
    return f"{node.rent_usd_per_accelerator_hour:.2f} ({low:.2f}-{high:.2f})"


def _failure_rate(rates: Any) -> str:
    from dcsim.units import SECONDS_PER_DAY, number

    return number(sum(rates.per_accelerator_s.values()) * SECONDS_PER_DAY * 1000)


def table_text(kind: str, table: Mapping[str, Any]) -> str:
    """A table of at most 80 columns, its last text column wrapped where needed."""
    columns = _columns(kind)
    rows = [[key, *(write(record) for _, write in columns)] for key, record in table.items()]
    heads = [kind.removesuffix("s"), *(head for head, _ in columns)]
    lines = _aligned(heads, rows)
    sources = _sources(table)
    return "\n".join([*lines, *sources, "", f" dcsim catalogue {kind} NAME shows one in full."])


def _sources(table: Mapping[str, Any]) -> list[str]:
    """The statuses that occur, explained; only where the records have a source."""
    statuses = {record.source.status for record in table.values() if hasattr(record, "source")}
    meanings = {
        "sourced": "read in its source",
        "mixed": "some fields from memory",
        "from-memory": "not found in a stored source",
        "assumption": "our own, with its reason",
        "measured": "on this machine",
    }
    shown = [f" {status}: {text}" for status, text in meanings.items() if status in statuses]
    return ["", *shown] if shown else []


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    import textwrap

    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    room = _WIDTH - 1 - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    last = max(min(widths[-1], room), 12)
    right = [_numeric(column) for column in zip(*rows, strict=True)]
    lines = [_line(heads, widths, right)]
    for row in rows:
        parts = textwrap.wrap(row[-1], last) or [""]
        lines.append(_line([*row[:-1], parts[0]], widths, right))
        indent = " " * (_WIDTH - last)
        lines += [indent + part for part in parts[1:]] if len(parts) > 1 else []
    return lines


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if at_right else cell.ljust(width)
        for cell, width, at_right in zip(cells, widths, right, strict=True)
    ]
    return (" " + (" " * _GAP).join(padded)).rstrip()


def _numeric(column: Sequence[str]) -> bool:
    return all(cell[:1].isdigit() or cell == "-" for cell in column)


def details_text(record: Any) -> str:
    """Every field of one record, with its sources in full."""
    import textwrap

    lines: list[str] = []
    for field in fields(record):
        value = getattr(record, field.name)
        if value is None or value == () or value == "":
            continue
        text = _source_text(value) if _is_source(value) else _value_text(value)
        head = f" {field.name:<34} "
        lines += textwrap.wrap(
            text, _WIDTH, initial_indent=head, subsequent_indent=" " * 4, break_on_hyphens=False
        ) or [head.rstrip()]
    return "\n".join(lines)


def _is_source(value: Any) -> bool:
    from dcsim.records import Source

    return isinstance(value, Source)


def _source_text(source: "Source") -> str:
    """Text, date, status and what is from memory, in one sentence."""
    memory = f"; from memory: {', '.join(source.from_memory)}" if source.from_memory else ""
    date = f", {source.date}" if source.date else ""
    note = f" ({source.note})" if source.note else ""
    return f"{source.text}{date} [{source.status}{memory}]{note}"


def _value_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value_text(item)}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def plain(record: Any) -> dict[str, Any]:
    """The record as JSON can hold it."""
    out: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if _is_source(value):
            out[field.name] = asdict(value)
        elif isinstance(value, Mapping):
            out[field.name] = dict(value)
        else:
            out[field.name] = value
    return out
