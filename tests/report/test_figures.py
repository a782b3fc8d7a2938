"""Figures: the same bytes, text as outlines, labels that do not collide, colours that read."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_fixture import plan_result

from dcsim.report.figures.axes import nice_log_ticks, tick_text
from dcsim.report.figures.bars import Bar, bars_svg
from dcsim.report.figures.frontier import frontier_svg
from dcsim.report.figures.labels import text_size
from dcsim.report.figures.losses import stretches
from dcsim.report.figures.stacked import Segment, notes_for, stacked_svg
from dcsim.report.figures.style import COLOURS, SMALLEST, drawing, label
from dcsim.report.view import view_of
from dcsim.report.wording import LEDGER_LABELS, PART_LABELS

BARS = [
    Bar("accelerators", 1.2, "1.2 M USD", "#0072B2", 1.0, 1.5),
    Bar("energy", 0.0, "0", "#888888"),
]


def test_equal_figures_are_equal_bytes():
    assert bars_svg(BARS, 64, 30) == bars_svg(BARS, 64, 30)


def test_text_is_drawn_as_outlines_and_carries_no_date():
    image = bars_svg(BARS, 64, 30)
    assert b"<text" not in image
    assert b"<path" in image
    assert b"<dc:date>" not in image


def test_no_text_is_smaller_than_seven_points():
    with drawing(104, 80) as figure:
        axes = figure.add_subplot()
        axes.set(xlabel="x", ylabel="y", title="t")
        texts = [axes.xaxis.label, axes.yaxis.label, axes.title, *axes.get_xticklabels()]
        assert min(text.get_fontsize() for text in texts) >= SMALLEST


def test_a_crowded_frontier_is_drawn_within_bounds():
    view = view_of(plan_result())
    rows = view.rows("candidates")
    many = [
        row | {"time_s": row["time_s"] * (1 + i / 1e4)}
        for i in range(20)
        for row in rows
        if row["time_s"] is not None
    ]
    image = frontier_svg(many, view.rows("objectives"), 104, 80)
    assert len(image) < 400_000


def test_names_are_shortened_and_unknown_characters_replaced():
    assert label("x" * 50, 10) == "x" * 9 + "…"
    assert label("hgx 中文") == "hgx ??"
    assert label("a$b_c^d\\e") == "a$b_c^d\\e"


def luminance(colour):
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_part_and_class_has_its_own_colour():
    assert set(COLOURS) >= set(LEDGER_LABELS) | set(PART_LABELS)
    shared = {"#0072B2", "#56B4E9", "#F0E442", "#8C8C8C"}
    for a, b in itertools.combinations(PART_LABELS, 2):
        assert COLOURS[a] != COLOURS[b] or COLOURS[a] in shared


def test_neighbouring_parts_differ_in_grey():
    for a, b in itertools.pairwise(["compute", "tp", "pp_bubble", "dp", "optimizer", "other"]):
        assert abs(luminance(COLOURS[a]) - luminance(COLOURS[b])) > 0.08, (a, b)


segments = st.lists(
    st.tuples(st.floats(1e-4, 1.0), st.sampled_from(["a", "in repair", "data-parallel exchange"])),
    min_size=1,
    max_size=12,
).map(lambda parts: [Segment(share, name, "1.2 %", "#0072B2") for share, name in parts])


@given(segments)
def test_no_leader_crosses_a_label_and_no_labels_overlap(parts):
    notes = notes_for(parts, 174.0)
    for a, b in itertools.combinations(notes, 2):
        assert a.line != b.line or a.end <= b.start or b.end <= a.start
    for note in notes:
        assert note.start >= 0
        assert note.end <= 174.0
        for tied in notes:
            if tied.leader and tied.line > note.line:
                assert not note.start < tied.middle < note.end


def test_small_parts_at_the_right_get_leaders_and_at_the_left_a_list():
    shares = [0.9, 0.05, 0.03, 0.02]
    parts = [Segment(share, "exchange", "1 %", "#0072B2") for share in shares]
    assert [note.leader for note in notes_for(parts, 174.0)] == [False, True, True, True]
    assert all(note.swatch for note in notes_for(parts[::-1], 174.0))


def test_a_stacked_bar_of_one_part_is_drawn():
    assert stacked_svg([Segment(1.0, "compute", "100 %", "#0072B2")], 100).startswith(b"<?xml")


@given(st.floats(1e-9, 1e9), st.floats(1.5, 1e9))
def test_log_ticks_are_few_and_inside(low, ratio):
    ticks = nice_log_ticks(low, low * ratio)
    assert len(ticks) <= 8
    assert all(low <= tick <= low * ratio for tick in ticks)
    assert ticks == sorted(ticks)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1500, "1,500"), (0.25, "0.25"), (2.0, "2"), (1e-5, "0.00001")]
)
def test_ticks_have_no_trailing_zeros(value, text):
    assert tick_text(value) == text


@given(st.integers(1, 3000), st.integers(1, 500))
def test_stretches_keep_the_mean(count, most):
    values = np.sin(np.arange(count, dtype=float))
    middle, means = stretches(values, most)
    assert means.size == middle.size == min(count, most)
    sizes = np.diff(np.linspace(0, count, min(count, most) + 1).astype(int))
    assert np.average(means, weights=sizes) == pytest.approx(values.mean(), abs=1e-12)


def test_text_sizes_grow_with_the_text():
    assert text_size("ab", 8)[0] < text_size("abab", 8)[0]
    assert text_size(" ", 8)[0] == 0.0
