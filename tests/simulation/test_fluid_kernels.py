"""Compiled and interpreted kernels give the same bits; SimPy sees completions in time."""

import os
import subprocess
import sys

import numpy as np
import pytest
import simpy

from dcsim.simulation import fluid_kernel
from dcsim.simulation.fluid import FluidNetwork
from dcsim.simulation.fluid_compiled import INTERPRETED, compiled
from dcsim.simulation.fluid_simpy import SimulatedNetwork
from dcsim.simulation.fluid_state import new_state


def crowd(flows=120, links=24, seed=5):
    rng = np.random.default_rng(seed)
    routes = np.array([rng.choice(links, 4, replace=False) for _ in range(flows)])
    state = new_state(rng.uniform(1.0, 3.0, links), np.full(links, flows), flows, 4)
    state.hops["link"] = routes
    state.flows["hops"] = 4
    state.flows["weight"] = rng.uniform(0.5, 2.0, flows)
    state.flows["remaining"] = rng.uniform(0.0, 5.0, flows)
    enter = np.round(rng.uniform(0.0, 3.0, flows), 1)
    return state, np.argsort(enter, kind="stable"), enter


def completions(kernels, patience):
    state, order, enter = crowd()
    done = np.full(len(enter), np.inf)
    finished, position = np.empty_like(order), 0
    while position >= 0:
        position = kernels.run_all(state, order, enter, finished, done, position, patience)
    return done


def test_compiled_and_interpreted_kernels_agree_to_the_last_bit():
    assert np.array_equal(completions(compiled(), 10**9), completions(INTERPRETED, 1000))


def test_kernels_can_be_switched_off():
    code = (
        "import sys; from dcsim.simulation.fluid_compiled import INTERPRETED, compiled;"
        "assert compiled() is INTERPRETED; assert 'numba' not in sys.modules"
    )
    environment = {**os.environ, "DCSIM_NO_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


def test_starting_from_nothing_finds_the_same_levels():
    state, order, _ = crowd(flows=60, links=12)
    for flow in order[:60].tolist():
        fluid_kernel.add_flow(state, flow, 0.0)
    fluid_kernel.resolve(state, 0.0)
    repaired = state.flows["level"].copy()
    fluid_kernel.doubt_everything(state)
    assert fluid_kernel.fill(state, 10_000)
    assert state.flows["level"] == pytest.approx(repaired, rel=1e-11)


def test_simpy_events_fire_at_the_completion_dates():
    environment = simpy.Environment()
    network = SimulatedNetwork(
        environment, FluidNetwork(np.array([2.0, 1.0]), np.array([0.5, 0.0]))
    )
    seen = []

    def sender(route, size, delay):
        yield environment.timeout(delay)
        sent = yield network.transfer(route, size)
        seen.append((environment.now, tuple(route), sent))

    environment.process(sender([0], 4.0, 0.0))
    environment.process(sender([0, 1], 1.0, 0.5))
    environment.process(sender([1], 0.0, 3.0))
    environment.run()
    # The first has 1 byte/s from 1.0 to 2.0, before and after that all of link 0.
    assert seen == [(2.0, (0, 1), 1.0), (3.0, (0,), 4.0), (3.0, (1,), 0.0)]


def test_changes_of_one_instant_are_solved_once():
    environment = simpy.Environment()
    fluid = FluidNetwork(np.array([4.0]))
    network = SimulatedNetwork(environment, fluid)
    steps = []
    step = fluid._step
    fluid._step = lambda date: (steps.append(date), step(date))
    for _ in range(4):
        network.transfer([0], 2.0)
    environment.run()
    assert steps == [0.0, 2.0]
    assert environment.now == 2.0


def test_a_cancelled_transfer_never_fires_and_frees_its_share():
    environment = simpy.Environment()
    network = SimulatedNetwork(environment, FluidNetwork(np.array([2.0])))
    left = []

    def story():
        first = network.transfer([0], 4.0)
        second = network.transfer([0], 4.1)
        yield environment.timeout(1.0)
        left.append(network.cancel(first))
        yield second
        assert not first.triggered
        assert network.cancel(second) == 0.0

    environment.run(environment.process(story()))
    assert left == [3.0]
    assert environment.now == pytest.approx(1.0 + 3.1 / 2.0)


def test_a_failed_link_stalls_transfers_until_it_is_repaired():
    environment = simpy.Environment()
    network = SimulatedNetwork(environment, FluidNetwork(np.array([2.0])))

    def story():
        transfer = network.transfer([0], 4.0)
        yield environment.timeout(1.0)
        network.set_capacity(0, 0.0)
        yield environment.timeout(10.0)
        network.set_capacity(0, 1.0)
        yield transfer

    environment.run(environment.process(story()))
    assert environment.now == pytest.approx(13.0)
