"""Closed forms of collectives: volumes by hand, limits, and order between algorithms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.cost.collective_forms import (
    AUTOMATIC,
    Shares,
    Span,
    StartUp,
    best,
    load,
    seconds,
)

FAST, NIC, SIZE = 450e9, 50e9, 1e9


def span(width, ranks, leaf=None, above=NIC):
    members = [[float(width)], [float(leaf or ranks)], [float(ranks)]]
    return Span(np.array(members), np.array([[FAST], [NIC], [above]]))


def ideal(kind, algorithm, where):
    shares = Shares(in_switch=1.0)
    return float(
        seconds(algorithm, load(kind, algorithm, SIZE, where), where, shares, StartUp())[0]
    )


def test_one_domain():
    one = span(8, 8)
    assert ideal("all_reduce", "ring", one) == pytest.approx(2 * 7 / 8 * SIZE / FAST)
    assert ideal("all_reduce", "in-switch", one) == pytest.approx(9 / 8 * SIZE / FAST)
    assert ideal("all_gather", "ring", one) == pytest.approx(7 / 8 * SIZE / FAST)
    assert ideal("all_to_all", "direct", one) == pytest.approx(7 / 8 * SIZE / FAST)
    assert ideal("p2p", "direct", one) == pytest.approx(SIZE / FAST)


def test_many_domains_are_bound_by_their_nics():
    many = span(8, 128)
    assert ideal("all_reduce", "ring", many) == pytest.approx(2 * 127 / 128 * SIZE / (8 * NIC))
    assert ideal("all_reduce", "tree", many) == pytest.approx(2 * SIZE / (8 * NIC))
    assert ideal("all_to_all", "direct", many) == pytest.approx(120 / 128 * SIZE / NIC)
    assert ideal("p2p", "direct", many) == pytest.approx(SIZE / NIC)


def test_two_domains_exchange_the_buffer_once_by_trees():
    two = span(8, 16)
    assert load("all_reduce", "tree", SIZE, two).net_s[0] == pytest.approx(SIZE / (8 * NIC))


def test_an_oversubscribed_core_binds_an_all_to_all_first():
    narrow = span(8, 512, leaf=64, above=NIC / 4)
    assert ideal("all_to_all", "direct", narrow) == pytest.approx(448 / 512 * SIZE / (NIC / 4))
    assert ideal("all_reduce", "ring", narrow) == pytest.approx(
        ideal("all_reduce", "ring", span(8, 512))
    )


def test_the_edge_of_a_rack_costs_an_all_to_all_an_order_of_magnitude_and_an_all_reduce_little():
    inside, across = span(72, 72), span(72, 144)
    assert ideal("all_to_all", "direct", across) > 4 * ideal("all_to_all", "direct", inside)
    assert ideal("all_reduce", "ring", across) < 1.1 * ideal("all_reduce", "ring", inside)


def test_start_up_takes_over_for_small_payloads():
    start = StartUp(base_s=1e-6, hop_s=3e-6, chain_hop_s=2e-6, bend=0.6, overlap=8.0)
    one = span(8, 8)
    tiny = seconds("ring", load("all_reduce", "ring", 8.0, one), one, Shares(), start)
    assert tiny[0] == pytest.approx(1e-6 + 14 * 3e-6, rel=1e-2)
    huge = seconds("ring", load("all_reduce", "ring", 1e13, one), one, Shares(), start)
    assert huge[0] == pytest.approx(2 * 7 / 8 * 1e13 / FAST, rel=1e-2)


def test_the_switch_reduces_only_where_it_can():
    shares = Shares(in_switch=np.array([0.0]))
    assert best("all_reduce", SIZE, span(8, 8), shares, StartUp())[1][0] == "ring"
    assert (
        best("all_reduce", SIZE, span(8, 8), Shares(in_switch=0.9), StartUp())[1][0] == "in-switch"
    )
    assert best("all_reduce", SIZE, span(4, 4), Shares(in_switch=0.9), StartUp())[1][0] == "ring"


def test_unknown_algorithms_are_refused():
    for kind, algorithm in (("all_gather", "tree"), ("all_reduce", "magic")):
        with pytest.raises(ValueError, match="there is no"):
            load(kind, algorithm, SIZE, span(8, 16))


@given(
    st.sampled_from(sorted(AUTOMATIC)),
    st.sampled_from([1, 2, 4, 8, 72]),
    st.integers(1, 64),
    st.floats(1.0, 1e11),
    st.floats(1.1, 10.0),
)
def test_more_bytes_take_longer_and_faster_links_never_do(kind, width, domains, size, factor):
    start = StartUp(1e-6, 3e-6, 5e-6, 4e-5, 1e-4, 0.3, bend=0.63, switch_bend=0.7, overlap=8.0)
    shares = Shares(0.8, 0.7, 0.9, 0.85, 4e-6)
    where = span(width, width * domains)
    slow, _ = best(kind, size, where, shares, start)
    more, _ = best(kind, size * factor, where, shares, start)
    quick, _ = best(kind, size, Span(where.members, where.bytes_per_s * factor), shares, start)
    assert np.isfinite(slow).all()
    assert more[0] >= slow[0] * (1 - 1e-12)
    assert quick[0] <= slow[0] * (1 + 1e-12)


def test_rows_are_independent():
    where = Span(np.array([[8.0, 4.0], [8.0, 64.0]]), np.array([[FAST, FAST], [NIC, NIC]]))
    both, names = best("all_reduce", np.array([1e6, 1e9]), where, Shares(), StartUp(hop_s=1e-6))
    for row, size in enumerate((1e6, 1e9)):
        alone = Span(where.members[:, [row]], where.bytes_per_s[:, [row]])
        time_s, name = best("all_reduce", size, alone, Shares(), StartUp(hop_s=1e-6))
        assert both[row] == time_s[0]
        assert names[row] == name[0]
