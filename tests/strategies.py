"""Hypothesis strategies that several tests share."""

from pathlib import Path

from hypothesis import strategies as st

from dcsim.units import DIMENSIONS

SCENARIOS = Path(__file__).parent.parent / "scenarios"

#: A scenario that uses every part of the schema and is right.
COMPLETE = """\
name: complete
title: Every part of the schema
seed: 7
start: 2026-01-01
site: {region: us-iowa, power: 20 MW, racks: 150, rack_power: 132 kW, pue: 1.15,
       tariff: 0.09 USD/kWh, carbon: 0.3 kg/kWh}
cluster:
  nodes:
    - {name: main, node: hgx-h100, count: 32}
    - {name: other, node: gb200-nvl72, count: 2}
  network: {topology: fat-tree, radix: 64, oversubscription: 1, nic: 400 Gb/s}
  storage: {system: nvme-pfs, servers: 24, redundancy: erasure 8+2, metadata_servers: 2,
            origin: 40 GB/s, cache: node-local, prefetch: 2,
            loss: {mttf: 8 years, servers: [{server: 3, at: 2 d}], fill: 60 %,
                   rebuild: declustered, rate: 500 MB/s, detect: 1 min, replace: 12 h}}
workload:
  - name: base
    kind: training
    model: llama3-70b
    tokens: 15e12
    global_batch: 2048
    seq_len: 8192
    precision: bf16
    parallelism: {tp: 8, pp: 4, vp: 2, dp: 4, cp: 1, ep: 1, zero: 1, sequence_parallel: true}
    micro_batch: 1
    recompute: selective
    software: megatron-bridge
    accelerators: 128
    group: main
    submit: 1 h
    priority: 3
    bytes_per_token: 4
    dataset: 5e12
    file: 64 MiB
    shuffle: true
  - {name: probe, kind: real, job: medical-classifier, submit: 10 s, priority: 1, repeats: 2,
     parameters: {epochs: 3}}
policies:
  scheduler: fifo
  placement: best-fit
  checkpoint: {interval: 30 min, blocking: false, sharded: true, local: 5 min, copies: 2}
  failures: {rates: llama3}
  spares: 1
money: {terms: buy, lifetime: 4 years, residual: 10 %}
plan:
  vary:
    cluster.nodes.main.node: [hgx-h100, hgx-b200]
    cluster.nodes.main.count: [16, 32]
    parallelism: [{tp: 8, pp: 2}, {tp: 4}]
    micro_batch: [1, 2]
    recompute: all
  finalists: 4
  seeds: 16
objectives:
  - {name: soon, metric: base.finish, by: 2026-06-01, confidence: 0.9, hard: true}
  - {metric: total.cost, at_most: 9M USD}
  - {metric: total.ettr, at_least: 90 %}
"""


def finite(low: float, high: float) -> st.SearchStrategy[float]:
    """Ordinary numbers between two bounds, both included."""
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


@st.composite
def quantities(draw: st.DrawFn) -> tuple[str, str, float]:
    """A text with a unit, its dimension, and its size in the base unit."""
    dimension = draw(st.sampled_from(sorted(DIMENSIONS)))
    unit = draw(st.sampled_from(sorted(DIMENSIONS[dimension].units)))
    amount = draw(finite(0, 1e6))
    space = draw(st.sampled_from(["", " ", "  "]))
    return f"{amount!r}{space}{unit}", dimension, amount * DIMENSIONS[dimension].units[unit]


#: Values of the wrong kind, size or spelling to put in place of a right one.
WRONG_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["1e400", "-1", "400 Gb", "5 parsec", "all", "none", "~", "2026-13-01", "$5", "0"]
    ),
    st.lists(st.integers(-1, 3), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(-1, 3), max_size=2),
)
