"""Every kind of mistake gives one sentence with the right line, and never a traceback."""

from pathlib import Path

import pytest
from strategies import COMPLETE

from dcsim.records import Fault, InputError
from dcsim.scenario import load_scenario, parse_scenario

GOOD = """\
name: good
cluster:
  nodes:
    - {name: main, node: hgx-h100, count: 16}
  network: {nic: 400 Gb/s}
workload:
  - name: base
    kind: training
    model: llama3-8b
    tokens: 15e12
    global_batch: 2048
    seq_len: 8192
objectives:
  - {metric: base.finish, by: 60 d}
"""


def faults_of(text: str | bytes) -> tuple[Fault, ...]:
    with pytest.raises(InputError) as caught:
        parse_scenario(text, "mine.yaml")
    return caught.value.faults


def only(text: str | bytes) -> Fault:
    faults = faults_of(text)
    assert len(faults) == 1, [str(fault) for fault in faults]
    return faults[0]


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def test_the_good_ones_are_good() -> None:
    parse_scenario(GOOD)
    parse_scenario(COMPLETE)


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "field", "message"),
    [
        (
            "name: good",
            "name: good\nsede: 4",
            2,
            1,
            "sede",
            'there is no key "sede" here; did you mean "seed"?',
        ),
        (
            "400 Gb/s",
            "400 Gb",
            5,
            18,
            "cluster.network.nic",
            '"400 Gb" is an amount of data, not a rate; write "400 Gb/s"',
        ),
        (
            "count: 16",
            "count: -16",
            4,
            43,
            "cluster.nodes.main.count",
            "-16 is too small; the least is 1",
        ),
        (
            "2048",
            "plenty",
            11,
            19,
            "workload.base.global_batch",
            '"plenty" is text, not a plain number; write for instance "16"',
        ),
        (
            "15e12",
            "1e400",
            10,
            13,
            "workload.base.tokens",
            '"1e400" is too large for a number',
        ),
        (
            "    seq_len: 8192",
            "    seq_len: 8192\n    seq_len: 4096",
            13,
            5,
            "workload.base.seq_len",
            'the key "seq_len" appears twice; it is already on line 12',
        ),
        (
            "    model: llama3-8b\n",
            "",
            7,
            5,
            "workload.base.model",
            'the key "model" is missing',
        ),
        (
            "llama3-8b",
            "lama3-8b",
            9,
            12,
            "workload.base.model",
            'there is no model "lama3-8b"; did you mean "llama3-8b"?',
        ),
        (
            "name: good",
            "name: good\nsite: virginia",
            2,
            7,
            "site",
            '"virginia" is not a mapping of "key: value" lines',
        ),
        (
            "15e12",
            "[15e12]",
            10,
            13,
            "workload.base.tokens",
            'a list is not a plain number; write for instance "15e12"',
        ),
        (
            "15e12",
            ".nan",
            10,
            13,
            "workload.base.tokens",
            "not-a-number is no quantity; write a number",
        ),
        (
            "by: 60 d",
            "by: no",
            14,
            31,
            "objectives.1.by",
            '"no" is text, not a duration; write for instance "30 d"',
        ),
        (
            "by: 60 d",
            "by: 2027-01-01",
            14,
            31,
            "objectives.1.by",
            '"2027-01-01" is a date, but the scenario has no start; add "start: 2026-01-01" '
            'or write a duration such as "60 d"',
        ),
        (
            "base.finish",
            "bass.finish",
            14,
            14,
            "objectives.1.metric",
            'there is no job "bass"; did you mean "base"?',
        ),
        (
            "kind: training",
            "kind: serving",
            8,
            11,
            "workload.base.kind",
            'workloads of kind "serving" are not part of this version of dcsim; leave them out',
        ),
        (
            "name: good",
            "name: good\noffers: []",
            2,
            1,
            "offers",
            '"offers" is not part of this version of dcsim; leave it out',
        ),
        (
            "count: 16",
            "count: 1.5",
            4,
            43,
            "cluster.nodes.main.count",
            "1.5 is not a whole number",
        ),
        (
            "name: good",
            "name: [good",
            2,
            8,
            "",
            'a list that begins with "[" lacks its "," or "]"',
        ),
        (
            "tokens: 15e12",
            "tokens: &many 15e12\n    global: *many",
            11,
            13,
            "",
            "aliases (*x) are not supported; write the value out",
        ),
        (
            "15e12",
            "!!python/object:os.system 1",
            10,
            13,
            "",
            'tags such as "!x" are not supported; write plain values',
        ),
        (
            "name: good",
            "name: good\n---",
            2,
            1,
            "",
            'a second document starts here with "---"; a scenario is a single one',
        ),
    ],
)
def test_one_mistake_one_sentence(
    old: str, new: str, line: int, column: int, field: str, message: str
) -> None:
    fault = only(changed(old, new))
    assert (fault.line, fault.column, fault.field) == (line, column, field)
    assert fault.message == message
    assert fault.file == "mine.yaml"


def test_a_tab_is_named() -> None:
    fault = only(changed("  nodes:", "\tnodes:"))
    assert fault.line == 3
    assert fault.message == "there is a tab; YAML allows only spaces for indentation"


@pytest.mark.parametrize("text", ["", "   \n\n", "# only a comment\n", "\ufeff"])
def test_an_empty_file_is_named(text: str) -> None:
    fault = only(text)
    assert fault.line == 1
    assert fault.message.startswith("the file is empty")


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b"just some words\n", 1, "the file holds text, not a scenario"),
        (b"- a\n- b\n", 1, "the file holds a list, not a scenario"),
        (b"name: x\n\x80\xff\n", 2, "this is not UTF-8 text"),
        (b"name: x\n\x00\n", 2, "there is a control character"),
        (b"{" * 400, 1, "nested more than 50 deep"),
        (b"[" * 100_000, 1, "nested more than 50 deep"),
        (b"a: b: c\n", 1, 'there is a second ":" here'),
        (b'name: "x\n', 2, "a text in quotes is never closed"),
        (b"%PDF-1.4\n", 1, ""),
        (b"x" * 2_000_000, 0, "larger than 1 MB"),
    ],
)
def test_what_is_no_yaml_is_named(data: bytes, line: int, says: str) -> None:
    fault = only(data)
    assert fault.line == line
    assert says in fault.message


def test_all_faults_come_at_once_and_the_worst_first() -> None:
    text = changed("400 Gb/s", "fast")
    text = changed("global_batch: 2048", "globl_batch: 2048", text)
    text = changed("by: 60 d", "by: 9M USD", text)
    faults = faults_of(text)
    assert [(f.line, f.field) for f in faults] == [
        (11, "workload.base.globl_batch"),
        (7, "workload.base.global_batch"),
        (5, "cluster.network.nic"),
        (14, "objectives.1.by"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("count: 2}", "count: 2}\n    - {name: main, node: local, count: 1}", "main.name", "taken"),
        ("name: probe", "name: base", "workload.base.name", "is taken"),
        ("name: probe", "name: total", "workload.total.name", "stands for all jobs"),
        ("start: 2026-01-01", "start: 2026-02-30", "start", "no"),
        ("by: 2026-06-01", "by: 2025-06-01", "soon.by", "is not after the start"),
        ("erasure 8+2", "raid 5", "storage.redundancy", 'write "replication 3"'),
        ("servers: 24", "servers: 9", "storage.redundancy", "needs 10 servers"),
        ("erasure 8+2,", "erasure 22+3,", "storage.redundancy", "needs 25 servers"),
        ("servers: 24, redundancy: erasure 8+2", "servers: 4", "storage.servers", "of nvme-pfs"),
        ("pue: 1.15", "pue: 0.9", "site.pue", "less than the least accepted"),
        ("total.ettr, at_least: 90 %", "total.cost, at_least: 1 USD", "3.metric", "is taken"),
        ("base.finish", "base.finsh", "soon.metric", 'did you mean "base.finish"'),
        ("by: 2026-06-01", "by: 0 d", "soon.by", "no time is too short"),
        ("total.ettr, at_least: 90 %", "total.ettr, at_least: 90", "at_least", "more than all"),
        ("nic: 400 Gb/s", "rails: 8", "network.rails", "belongs to the topology rail-optimised"),
        ("nic: 400 Gb/s", "dims: 8", "network.dims", "no sides of a torus"),
        ("nic: 400 Gb/s", "file: mine.graphml", "network.file", "not part of this version"),
        ("seeds: 16", "seeds: 4", "soon.confidence", "needs more than 4 simulated runs"),
        ("cluster.nodes.main.count", "cluster.nodes.mian.count", "count", 'did you mean "main"'),
        ("group: main", "group: mian", "base.group", 'did you mean "main"'),
        ("accelerators: 128", "accelerators: 4096", "base.accelerators", "more than the 256"),
        ("accelerators: 128", "accelerators: 64", "base.accelerators", "takes 128 accelerators"),
        ("llama3-70b", "mlp-3-5-2", "base.model", "is a small network"),
        ("llama3-70b", "gpt3-175b", "base.seq_len", "learned positions for 2048"),
        ("tokens: 15e12", "tokens: 1e6", "base.tokens", "less than one step"),
        ("micro_batch: 1\n", "micro_batch: 3\n", "base.micro_batch", "do not divide"),
        ("tp: 8, pp: 4", "tp: 7, pp: 4", "parallelism.tp", "does not divide the 64 heads"),
        ("pp: 4, vp: 2", "pp: 4, vp: 80", "parallelism.pp", "more than the 80 layers"),
        ("pp: 4, vp: 2, dp: 4", "pp: 1, vp: 2, dp: 16", "parallelism.vp", "nothing to interleave"),
    ],
)
def test_checks_across_the_parts(old: str, new: str, field: str, says: str) -> None:
    faults = faults_of(changed(old, new, COMPLETE))
    assert any(f.field.endswith(field) and says in f.message for f in faults), faults
    assert all(f.line > 0 for f in faults)


def test_a_format_that_no_accelerator_knows() -> None:
    text = changed("hgx-h100", "hgx-v100")
    text = changed("seq_len: 8192", "seq_len: 8192\n    precision: bf16", text)
    fault = only(text)
    assert fault.field == "workload.base.precision"
    assert "V100-SXM2-32 cannot compute in" in fault.message
    assert "write fp16" in fault.message


def test_this_machine_is_one_and_not_planned() -> None:
    fault = only(
        changed(
            "node: hgx-h100, count: 16}",
            "node: hgx-h100, count: 16}\n    - {name: here, node: local, count: 2}",
        )
    )
    assert fault.field == "cluster.nodes.here.count"
    text = changed("objectives:", "plan: {vary: {cluster.nodes.main.node: [local]}}\nobjectives:")
    assert any("cannot be varied" in f.message for f in faults_of(text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        load_scenario(tmp_path / "missing.yaml")
    with pytest.raises(InputError, match="directory"):
        load_scenario(tmp_path)


STORAGE_FAULTS = [
    (
        "storage: {servers: 12, loss: {fill: 50 %}}",
        "cluster.storage.loss",
        "write mttf, or servers, or both",
    ),
    (
        "storage: {servers: 12, loss: {servers: [{server: 12, at: 1 d}]}}",
        "cluster.storage.loss.servers",
        "the 12 servers are 0 to 11",
    ),
    (
        "storage: {servers: 1, redundancy: replication 1, loss: {mttf: 5 years}}",
        "cluster.storage.loss",
        "use at least 2 servers",
    ),
    ("storage: {cache: disk}", "cluster.storage.cache", "node-local"),
    ("storage: {prefetch: -1}", "cluster.storage.prefetch", "0"),
]


@pytest.mark.parametrize(("keys", "field", "message"), STORAGE_FAULTS)
def test_storage_that_cannot_be(keys: str, field: str, message: str) -> None:
    fault = only(changed("  network: {nic: 400 Gb/s}", f"  {keys}"))
    assert fault.field is not None
    assert fault.field.startswith(field)
    assert message in fault.message


def test_copies_need_local_saves() -> None:
    checkpoint = "policies: {checkpoint: {interval: 1 h, copies: 2}}"
    fault = only(changed("name: good", f"name: good\n{checkpoint}"))
    assert fault.field == "policies.checkpoint.copies"
    assert "local: 10 min" in fault.message
