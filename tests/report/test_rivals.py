"""Which candidates are shown, and in which order."""

from dcsim.report.rivals import shown_candidates


def candidate(name, node, gpus, time, cost, status="dominated", memory=0.5):
    return {
        "id": name,
        "node_type": node,
        "gpus": gpus,
        "time_s": time,
        "cost_usd": cost,
        "status": status,
        "memory_device_bytes": memory,
        "memory_capacity_bytes": 1.0,
    }


ROWS = [
    candidate("plan", "h100", 128, 40.0, 1.4, "recommended"),
    candidate("same cluster", "h100", 128, 41.0, 1.41),
    candidate("faster", "h100", 256, 21.0, 1.5, "frontier"),
    candidate("much faster", "h100", 512, 11.0, 1.7, "frontier"),
    candidate("other node", "b200", 128, 25.0, 2.0, "dominated"),
    candidate("other node, worse", "b200", 64, 90.0, 4.0, "dominated"),
    candidate("too large", "a100", 64, None, None, "infeasible", memory=1.2),
    candidate("far too large", "v100", 64, None, None, "infeasible", memory=5.0),
    candidate("hopeless", "k80", 64, None, None, "infeasible", memory=50.0),
]


def names(most, subject="plan", rows=ROWS):
    return [row["id"] for row in shown_candidates(rows, most, subject)]


def test_the_plan_is_first_and_a_cluster_is_shown_once():
    shown = names(20)
    assert shown[0] == "plan"
    assert "same cluster" not in shown
    assert len(shown) == len(ROWS) - 1


def test_the_nearest_and_every_node_type_come_before_the_rest():
    assert names(5) == ["plan", "faster", "other node", "too large", "far too large"]


def test_never_more_than_asked():
    for most in range(1, 10):
        assert len(names(most)) == min(most, len(ROWS) - 1)


def test_without_a_plan_the_nearest_miss_is_first():
    rows = [row for row in ROWS if row["status"] == "infeasible"]
    assert names(2, "far too large", rows) == ["far too large", "too large"]
    assert names(3, None, rows) == ["too large", "far too large", "hopeless"]


def test_the_order_of_the_input_does_not_matter():
    assert names(7) == names(7, rows=ROWS[::-1])
