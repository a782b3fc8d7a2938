"""Fluid flows against closed forms, a textbook solver and the properties of fairness."""

import json
from pathlib import Path

import numpy as np
import pytest
from fluid_oracle import completion_times, fair_rates
from hypothesis import given
from hypothesis import strategies as st

from dcsim.simulation.fluid import FluidNetwork
from dcsim.simulation.fluid_batch import simulate_flows
from dcsim.simulation.fluid_file import read_flow_scenarios

GOOD = 1e-9


@st.composite
def networks(draw, most_links=6, most_flows=10):
    """Links and flows: capacities and sizes from a few values, so that ties occur."""
    links = draw(st.integers(1, most_links))
    flows = draw(st.integers(1, most_flows))
    value = st.sampled_from([1.0, 2.0, 3.0, 7.0]) | st.floats(0.1, 10.0)
    capacity = [draw(value) for _ in range(links)]
    latency = [draw(st.sampled_from([0.0, 0.0, 0.5, 0.1])) for _ in range(links)]
    route = st.lists(st.integers(0, links - 1), min_size=1, max_size=4, unique=True)
    return {
        "capacity": capacity,
        "latency": latency,
        "routes": [draw(route) for _ in range(flows)],
        "size": [draw(st.just(0.0) | value) for _ in range(flows)],
        "start": [draw(st.sampled_from([0.0, 0.0, 1.0, 2.5])) for _ in range(flows)],
        "weight": [draw(st.sampled_from([1.0, 1.0, 2.0, 0.3])) for _ in range(flows)],
    }


def batch(case):
    return simulate_flows(
        np.array(case["capacity"]),
        np.array(case["latency"]),
        case["routes"],
        np.array(case["size"]),
        np.array(case["start"]),
        np.array(case["weight"]),
    )


def started(case):
    """A network with all flows of the case under way at the same instant."""
    net = FluidNetwork(np.array(case["capacity"]))
    flows = zip(case["routes"], case["weight"], strict=True)
    ids = [net.start(0.0, route, 1e6 + n, weight) for n, (route, weight) in enumerate(flows)]
    net.advance(0.0)
    return net, ids


def run_to_the_end(net):
    ended = {}
    while (date := net.next_completion()) < np.inf:
        for flow in net.advance(date):
            ended[flow] = date
    return ended


def rates(net, ids):
    """Rate of each flow, from the bytes that it loses in a short while."""
    before = np.array([net.remaining(flow) for flow in ids])
    now = net.now
    net.advance(now + 1e-3)
    return (before - np.array([net.remaining(flow) for flow in ids])) / 1e-3


def test_one_flow_waits_its_latency_then_takes_the_narrowest_link():
    times = simulate_flows(
        np.array([4.0, 2.0]), np.array([0.25, 0.5]), [[0, 1]], np.array([6.0]), np.array([1.0])
    )
    assert times[0] == pytest.approx(1.0 + 0.75 + 3.0, abs=0.0)


def test_parking_lot():
    # One long flow over two links that each carry a short one (Bertsekas and Gallager).
    times = simulate_flows(
        np.array([1.0, 2.0]),
        np.zeros(2),
        [[0, 1], [0], [1]],
        np.array([1.0, 1.0, 3.0]),
        np.zeros(3),
    )
    assert times == pytest.approx([2.0, 2.0, 2.0], rel=GOOD)


def test_a_link_crossed_twice_counts_twice():
    times = simulate_flows(np.array([1.0]), np.zeros(1), [[0, 0]], np.array([1.0]), np.zeros(1))
    assert times[0] == pytest.approx(2.0, rel=GOOD)


def test_usage_loads_links_in_proportion():
    times = simulate_flows(
        np.array([1.0, 1.0]),
        np.zeros(2),
        [[0, 1]],
        np.array([1.0]),
        np.zeros(1),
        usage=[[0.5, 4.0]],
    )
    assert times[0] == pytest.approx(4.0, rel=GOOD)


@given(networks())
def test_completion_times_equal_those_of_the_textbook(case):
    expected = completion_times(**case)
    assert batch(case) == pytest.approx(expected, rel=GOOD, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_larger_networks_full_of_ties_equal_the_textbook(seed):
    rng = np.random.default_rng(seed)
    links, flows = 12, 60
    pick = [rng.choice(links, size=rng.integers(1, 5), replace=False) for _ in range(flows)]
    case = {
        "capacity": rng.choice([1.0, 2.0, 4.0], links).tolist(),
        "latency": rng.choice([0.0, 0.0, 0.25], links).tolist(),
        "routes": [route.tolist() for route in pick],
        "size": rng.choice([0.0, 1.0, 2.0, 6.0], flows).tolist(),
        "start": rng.choice([0.0, 0.5, 3.0], flows).tolist(),
        "weight": rng.choice([1.0, 2.0, 0.5], flows).tolist(),
    }
    assert batch(case) == pytest.approx(completion_times(**case), rel=GOOD, abs=1e-12)


@given(networks())
def test_the_network_inside_a_simulation_equals_the_batch(case):
    net = FluidNetwork(np.array(case["capacity"]), np.array(case["latency"]))
    ids, ended = {}, {}
    for flow in np.argsort(case["start"], kind="stable").tolist():
        while (date := net.next_completion()) < case["start"][flow]:
            ended |= dict.fromkeys(net.advance(date), date)
        key = net.start(
            case["start"][flow], case["routes"][flow], case["size"][flow], case["weight"][flow]
        )
        ids[key] = flow
    ended |= run_to_the_end(net)
    times = np.array([ended[key] for key in sorted(ids, key=ids.__getitem__)])
    assert times == pytest.approx(batch(case), rel=GOOD, abs=1e-12)
    carried = np.zeros(len(case["capacity"]))
    for route, size in zip(case["routes"], case["size"], strict=True):
        carried[route] += size
    assert net.link_bytes() == pytest.approx(carried, rel=GOOD, abs=1e-9)
    assert not net.link_rates().any()


@given(networks())
def test_no_link_is_over_capacity_and_every_flow_has_a_bottleneck(case):
    net, ids = started(case)
    load, capacity = net.link_rates(), np.array(case["capacity"])
    assert (load <= capacity * (1 + GOOD)).all()
    level = rates(net, ids) / np.array(case["weight"])
    full = load >= capacity * (1 - 1e-6)
    for flow, route in enumerate(case["routes"]):
        assert any(
            full[link]
            and level[flow]
            >= max(level[g] for g, r in enumerate(case["routes"]) if link in r) - 1e-6
            for link in route
        )


@given(networks(), st.data())
def test_changes_on_the_way_leave_fair_rates(case, data):
    """Cancel flows, change capacities, even to nothing: what is left is shared fairly."""
    net, ids = started(case)
    now = 0.0
    alive = dict(enumerate(ids))
    capacity = list(case["capacity"])
    for _ in range(data.draw(st.integers(1, 6))):
        now += data.draw(st.sampled_from([0.0, 1.0, 10.0]))
        if data.draw(st.booleans()) and len(alive) > 1:
            flow = data.draw(st.sampled_from(sorted(alive)))
            net.cancel(now, alive.pop(flow))
        else:
            link = data.draw(st.integers(0, len(capacity) - 1))
            capacity[link] = data.draw(st.sampled_from([0.0, 0.5, 1.0, 5.0]))
            net.set_capacity(now, link, capacity[link])
        net.advance(now)
        routes = [case["routes"][f] for f in alive]
        expected = fair_rates(capacity, routes, [case["weight"][f] for f in alive])
        assert rates(net, list(alive.values())) == pytest.approx(expected, rel=1e-4, abs=1e-4)
        now = net.now


@given(
    st.lists(st.floats(0.1, 10.0), min_size=1, max_size=8),
    st.lists(st.floats(0.0, 3.0), min_size=8, max_size=8),
    st.floats(0.1, 5.0),
    st.floats(1.0, 4.0),
)
def test_more_capacity_never_delays_the_last_flow_of_a_single_bottleneck(
    size, start, capacity, factor
):
    def last(rate):
        routes = [[0, 1 + n] for n in range(len(size))]
        rates = np.array([rate, *[100.0] * len(size)])
        begin = np.array(start[: len(size)])
        return simulate_flows(rates, np.zeros(len(rates)), routes, np.array(size), begin).max()

    assert last(capacity * factor) <= last(capacity) * (1 + GOOD)


def test_equal_flows_are_one_to_the_solver_and_end_together():
    net = FluidNetwork(np.array([8.0]))
    ids = [net.start(0.0, [0], 2.0) for _ in range(4)]
    net.advance(0.0)
    assert len(net._in_slot) == 1
    assert run_to_the_end(net) == dict.fromkeys(ids, 1.0)


def test_cancelling_one_of_equal_flows_returns_its_share():
    net = FluidNetwork(np.array([8.0]))
    ids = [net.start(0.0, [0], 4.0) for _ in range(4)]
    net.advance(0.0)
    assert net.cancel(1.0, ids[2]) == pytest.approx(2.0)
    ended = run_to_the_end(net)
    assert ended == pytest.approx({ids[0]: 1.75, ids[1]: 1.75, ids[3]: 1.75})
    assert net.link_bytes() == pytest.approx([14.0])


def test_a_stalled_flow_goes_on_after_the_repair():
    net = FluidNetwork(np.array([2.0]))
    flow = net.start(0.0, [0], 4.0)
    net.set_capacity(1.0, 0, 0.0)
    assert net.advance(1.0) == []
    assert net.next_completion() == np.inf
    net.set_capacity(5.0, 0, 1.0)
    assert run_to_the_end(net) == {flow: 7.0}


def test_many_flows_make_the_arrays_grow():
    rng = np.random.default_rng(3)
    routes = [rng.choice(40, size=rng.integers(1, 12), replace=False).tolist() for _ in range(120)]
    size, start = rng.uniform(1.0, 9.0, 120), np.sort(rng.uniform(0.0, 20.0, 120))
    net = FluidNetwork(np.full(40, 3.0))
    ended = {}
    for route, nbytes, begin in zip(routes, size, start, strict=True):
        while (date := net.next_completion()) < begin:
            ended |= dict.fromkeys(net.advance(date), date)
        net.start(begin, route, nbytes)
    ended |= run_to_the_end(net)
    times = simulate_flows(np.full(40, 3.0), np.zeros(40), routes, size, start)
    assert [ended[flow] for flow in range(120)] == pytest.approx(times.tolist(), rel=GOOD)


@pytest.mark.parametrize("route", [[], [3], [-1]])
def test_a_wrong_route_is_refused(route):
    with pytest.raises(ValueError, match="link"):
        FluidNetwork(np.ones(3)).start(0.0, route, 1.0)
    with pytest.raises(ValueError, match="link"):
        simulate_flows(np.ones(3), np.zeros(3), [route], np.ones(1), np.zeros(1))


@pytest.mark.parametrize(("size", "weight"), [(-1.0, 1.0), (np.nan, 1.0), (1.0, 0.0)])
def test_a_wrong_flow_is_refused(size, weight):
    with pytest.raises(ValueError, match="finite size"):
        FluidNetwork(np.ones(3)).start(0.0, [0], size, weight)


def test_a_byte_may_take_more_of_a_link_but_not_nothing():
    net = FluidNetwork(np.array([2.0, 2.0]), np.array([0.5, 0.25]))
    flow = net.start(0.0, [0, 1], 4.0, usage=[3.0, 1.0])
    assert run_to_the_end(net) == {flow: 0.75 + 6.0}
    assert net.link_bytes().tolist() == [12.0, 4.0]
    with pytest.raises(ValueError, match="more than 0 bytes"):
        net.start(10.0, [0, 1], 4.0, usage=[0.0, 1.0])


def test_time_does_not_go_back():
    net = FluidNetwork(np.ones(1))
    net.advance(2.0)
    with pytest.raises(ValueError, match="cannot go back"):
        net.start(1.0, [0], 1.0)


def test_published_scenarios_agree_to_a_billionth(truth: Path):
    scenarios = read_flow_scenarios(truth / "network_flows.json")
    assert len(scenarios) == 8
    for scenario in scenarios:
        assert np.nanmax(scenario.errors(scenario.completion_s())) < GOOD


def test_a_file_of_our_own_form_reads_back(tmp_path: Path):
    document = {
        "format": "dcsim-netflows/1",
        "scenarios": [
            {
                "name": "one",
                "links": [{"id": "a", "capacity": 2.0, "latency": 0.5}],
                "flows": [
                    {"id": "f", "route": ["a"], "size": 4, "start": 1, "completion_time": 3.5}
                ],
            }
        ],
    }
    path = tmp_path / "flows.json"
    path.write_text(json.dumps(document))
    (scenario,) = read_flow_scenarios(path)
    times = scenario.completion_s()
    assert times.tolist() == [3.5]
    assert scenario.errors(times).tolist() == [0.0]
