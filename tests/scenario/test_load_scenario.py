import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from strategies import COMPLETE, SCENARIOS

from dcsim import catalogue
from dcsim.records import InputError
from dcsim.scenario import json_schema, load_scenario, parse_scenario, with_override
from dcsim.scenario.resolved import FixedLayout, RealWork, TrainingWork
from dcsim.units import SECONDS_PER_DAY, SECONDS_PER_YEAR

READY = sorted(SCENARIOS.glob("*.yaml"))

MINIMAL = """\
name: minimal
cluster: {nodes: [{name: main, node: dgx-h100, count: 2}]}
workload: [{name: base, kind: training, model: gpt-22b, tokens: 1e9, global_batch: 64}]
"""


@pytest.mark.parametrize("path", READY, ids=lambda p: p.stem)
def test_ready_scenarios_load(path: Path) -> None:
    scenario = load_scenario(path)
    assert scenario.name == path.stem
    assert scenario.text == path.read_bytes()
    assert path.read_text().startswith("# ")


def test_everything_written_arrives_in_si_units() -> None:
    scenario = parse_scenario(COMPLETE)
    base, probe = scenario.workload
    assert isinstance(base, TrainingWork)
    assert isinstance(probe, RealWork)
    assert base.layout == FixedLayout(
        tp=8,
        pp=4,
        vp=2,
        dp=4,
        cp=1,
        ep=1,
        micro_batch=1,
        recompute="selective",
        zero_stage=1,
        sequence_parallel=True,
    )
    assert base.model is catalogue.model("llama3-70b")
    assert (base.tokens, base.submit_s, base.group, base.accelerators) == (15e12, 3600, "main", 128)
    assert probe.parameters == {"epochs": 3}
    assert scenario.cluster.network.nic_bytes_per_s == 50e9
    assert (scenario.cluster.storage.data_parts, scenario.cluster.storage.parity_parts) == (8, 2)
    assert scenario.site.power_w == 20e6
    assert scenario.policies.checkpoint.interval_s == 1800
    assert scenario.money.lifetime_s == 4 * SECONDS_PER_YEAR
    assert scenario.money.residual_share == 0.1
    assert scenario.plan.node_counts == {"main": (16, 32)}
    assert [n.name for n in scenario.plan.node_types["main"]] == ["hgx-h100", "hgx-b200"]
    assert scenario.plan.parallelism == (FixedLayout(tp=8, pp=2), FixedLayout(tp=4))
    assert scenario.plan.recomputes == ()
    soon, cost, ettr = scenario.objectives
    assert (soon.name, soon.target, soon.unit) == ("soon", 151 * SECONDS_PER_DAY, "s")
    assert (cost.sense, cost.target, cost.unit, cost.confidence) == ("at_most", 9e6, "USD", 0.5)
    assert (ettr.sense, ettr.target) == ("at_least", pytest.approx(0.9))
    assert cost.text == "total.cost at most 9M USD"


def test_a_complete_scenario_leaves_nothing_but_objectives_open() -> None:
    open_fields = [d.field for d in parse_scenario(COMPLETE).defaults]
    assert all(f.startswith(("objectives.", "cluster.nodes.local")) for f in open_fields)


def test_every_gap_is_filled_and_said_with_its_reason() -> None:
    scenario = parse_scenario(MINIMAL)
    filled = {d.field: d for d in scenario.defaults}
    assert {
        "seed",
        "site.region",
        "site.pue",
        "site.tariff",
        "site.carbon",
        "cluster.network.topology",
        "cluster.storage.system",
        "cluster.storage.redundancy",
        "workload.base.seq_len",
        "workload.base.precision",
        "workload.base.software",
        "workload.base.bytes_per_token",
        "policies.scheduler",
        "policies.failures.rates",
        "policies.checkpoint.interval",
        "money.terms",
        "plan.vary.parallelism",
        "plan.seeds",
    } <= filled.keys()
    assert all(d.reason and d.value for d in filled.values())
    work = scenario.workload[0]
    assert isinstance(work, TrainingWork)
    assert work.seq_len == 2048
    assert work.bytes_per_token == 2
    assert scenario.cluster.local is None


def test_this_machine_joins_when_real_jobs_are_there() -> None:
    text = MINIMAL + "  \n"
    real = text.replace("workload: [", "workload: [{name: probe, kind: real, job: digits-mlp}, ")
    scenario = parse_scenario(real)
    assert scenario.cluster.local is not None
    assert scenario.cluster.local.node.name == "local"
    assert [group.name for group in scenario.cluster.groups] == ["main"]
    assert any(d.field == "cluster.nodes.local" for d in scenario.defaults)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1e1", 10), ("010", 10), ("0x10", 16), ("0o17", 15), ("16.0", 16), ('"16"', 16)],
)
def test_numbers_follow_yaml_1_2(written: str, meant: int) -> None:
    text = MINIMAL.replace("count: 2", f"count: {written}")
    assert parse_scenario(text).cluster.groups[0].count == meant


@pytest.mark.parametrize("word", ["no", "on", "yes", "Off"])
def test_words_are_not_flags(word: str) -> None:
    text = MINIMAL + f"policies: {{checkpoint: {{interval: 1 h, blocking: {word}}}}}\n"
    with pytest.raises(InputError, match="write true or false"):
        parse_scenario(text)


def test_failures_can_be_switched_off() -> None:
    assert (
        parse_scenario(MINIMAL + "policies: {failures: {rates: none}}\n").policies.failures is None
    )


@pytest.mark.parametrize(
    ("key", "value", "seen"),
    [
        ("cluster.nodes.main.count", 64, lambda s: s.cluster.groups[0].count == 64),
        ("cluster.network.oversubscription", 2, lambda s: s.cluster.network.oversubscription == 2),
        ("seed", 5, lambda s: s.seed == 5),
    ],
)
def test_one_value_can_be_changed_by_its_dotted_name(
    key: str, value: int, seen: object, tmp_path: Path
) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(COMPLETE)
    changed = with_override(path, key, value)
    assert seen(changed)  # type: ignore[operator]
    assert changed.text != load_scenario(path).text


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("cluster.nodes.mian.count", 1, 'did you mean "main"'),
        ("cluster.nodes.main.count", -1, "cluster.nodes.main.count: -1 is too small"),
        ("cluster.nodes.main.cuont", 1, 'did you mean "count"'),
        ("name.x", 1, "leads nowhere"),
    ],
)
def test_a_change_that_leads_nowhere_is_refused(
    key: str, value: int, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(COMPLETE)
    with pytest.raises(InputError, match=says):
        with_override(path, key, value)


def test_json_schema_is_json_and_closed() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert set(schema["required"]) == {"name", "cluster", "workload"}
    assert schema["additionalProperties"] is False
    training = schema["$defs"]["TrainingPart"]
    assert {"model", "tokens", "global_batch"} <= set(training["required"])
    assert "llama3-8b" in training["properties"]["model"]["examples"]


def test_further_keys_of_a_topology_arrive_as_options(tmp_path: Path) -> None:
    path = tmp_path / "minimal.yaml"
    path.write_text(MINIMAL.replace("cluster: {", "cluster: {network: {NETWORK}, "))

    def options(network: str) -> Mapping[str, float | int | str]:
        text = path.read_text().replace("NETWORK", network)
        return parse_scenario(text, path).cluster.network.options

    rails = options("topology: rail-only, rails: 4, planes: 2, relay: true")
    assert rails == {"planes": 2, "rails": 4, "relay": True}
    torus = options("topology: torus, dims: 4 x 4, routing: static")
    assert torus == {"dims": "4x4", "routing": "static"}
