"""Jobs that share processors, and kills by script, against closed forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.records import InputError
from dcsim.simulation import PoolSpec, SimulationSpec, TrainingJobSpec, simulate
from dcsim.simulation.spec import Kill


def pool(nodes: int, processors: float) -> PoolSpec:
    return PoolSpec("local", "worker", nodes, 1, 1e9, is_local=True, processors=processors)


def job(name: str, seconds: float, **more) -> TrainingJobSpec:
    arguments = {"accelerators": 1, "steps": 100, **more}
    return TrainingJobSpec(name, pool="local", step_s=seconds / arguments["steps"], **arguments)


def ends(spec: SimulationSpec) -> list[float]:
    return [record.end_s for record in simulate(spec, 0).jobs]


def test_two_equal_jobs_on_one_processor_take_twice_as_long():
    spec = SimulationSpec((pool(2, 1.0),), (job("a", 10.0), job("b", 10.0)), audit=True)
    assert ends(spec) == pytest.approx([20.0, 20.0])


def test_a_job_that_arrives_later_slows_the_first_one_from_then_on():
    # a alone for 4 s, then both at half speed until b's 3 s are done at 10 s, then a's last 3 s
    spec = SimulationSpec((pool(2, 1.0),), (job("a", 10.0), job("b", 3.0, submit_s=4.0)))
    assert ends(spec) == pytest.approx([13.0, 10.0])


def test_enough_processors_change_nothing():
    jobs = (job("a", 10.0), job("b", 5.0, accelerators=2), job("c", 1.0, submit_s=2.0))
    free = ends(SimulationSpec((pool(4, float("inf")),), jobs))
    assert ends(SimulationSpec((pool(4, 4.0),), jobs)) == pytest.approx(free)


def test_a_rank_gets_an_even_share():
    # three ranks share 1.5 processors until the pair is done, then one has a whole one
    spec = SimulationSpec((pool(3, 1.5),), (job("pair", 4.0, accelerators=2), job("one", 5.0)))
    assert ends(spec) == pytest.approx([8.0, 9.0])


@given(
    work=st.lists(st.floats(0.5, 20.0), min_size=1, max_size=6),
    processors=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_processors_never_idle_while_enough_work_is_there(work, processors):
    jobs = tuple(job(f"job-{i}", seconds) for i, seconds in enumerate(work))
    last = max(ends(SimulationSpec((pool(len(work), processors),), jobs)))
    assert last >= max(sum(work) / processors, max(work)) * (1 - 1e-9)
    if processors <= 1.0:
        assert last == pytest.approx(sum(work) / processors)


def test_a_kill_loses_the_work_since_the_last_checkpoint():
    one = job("a", 10.0, checkpoint_interval_s=2.0, kills=(Kill(5.5, 0.25, 1.0),))
    record = simulate(SimulationSpec((pool(1, 1.0),), (one,), audit=True), 0).jobs[0]
    assert record.failures == 1
    assert record.lost_s == pytest.approx(1.5)
    assert record.end_s == pytest.approx(10.0 + 1.5 + 1.25)


def test_a_kill_after_the_end_spares_the_job():
    spec = SimulationSpec((pool(1, 1.0),), (job("a", 1.0, kills=(Kill(5.0),)), job("b", 9.0)))
    assert ends(spec) == pytest.approx([1.0, 10.0])


@pytest.mark.parametrize(
    "spec",
    [
        SimulationSpec((pool(1, 0.0),), (job("a", 1.0),)),
        SimulationSpec((pool(1, 1.0),), (job("a", 1.0, kills=(Kill(0.0),)),)),
        SimulationSpec((pool(1, 1.0),), (job("a", 1.0, kills=(Kill(1.0, restart_s=-1.0),)),)),
    ],
)
def test_what_cannot_be_simulated_is_refused(spec):
    with pytest.raises(InputError):
        simulate(spec, 0)
