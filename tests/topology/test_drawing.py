"""Drawings: few, large labels at any size."""

import io

import pytest
from fabric_scenes import Group, Net, node_type

from dcsim.topology.drawing import draw_fabric, sketch_of
from dcsim.topology.graph import new_graph, trunk


def texts(topology, nodes, storage=0, node=None, **options):
    figure = draw_fabric(
        Net(topology, options=options), [Group("main", node or node_type(), nodes)], storage
    )
    axes = figure.axes[0]
    assert all(text.get_fontsize() >= 7 for text in axes.texts)
    return [text.get_text() for text in axes.texts], axes.get_title()


def test_sixteen_accelerators_are_drawn_node_by_node():
    found, title = texts("fat-tree", 2, 1)
    assert title == "fat-tree: 16 accelerators"
    assert sorted(found) == sorted(
        [
            "main-0\n8 × H100-SXM",
            "main-1\n8 × H100-SXM",
            "storage-0",
            "leaf-0",
            "8 × 400 Gb/s",
            "1 × 400 Gb/s",
        ]
    )


@pytest.mark.slow
def test_sixteen_thousand_accelerators_fit_a_page():
    found, title = texts("fat-tree", 2048)
    assert title == "fat-tree: 16,384 accelerators"
    assert len(found) < 40
    assert "128 nodes\nof 8 × H100-SXM" in found
    assert "… 12 more …" in found
    assert "32 leaf switches" in found


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        ("rail-optimised", "8 leaf switches"),
        ("rail-only", "16 spine switches"),
        ("dragonfly", "32 routers\n496 cables inside"),
    ],
)
def test_boxes_say_what_they_stand_for(topology, said):
    assert said in texts(topology, 128)[0]


def test_a_torus_shows_its_planes():
    found, _ = texts("torus", 64, node=node_type("TPU-v5p", 4, 0), dims="4x8x8")
    assert "64 accelerators\n128 cables inside" in found
    assert "64 × 800 Gb/s" in found


def test_a_drawing_is_vector_graphics():
    figure = draw_fabric(Net(), [Group("main", node_type(), 4)])
    stream = io.StringIO()
    figure.savefig(stream, format="svg")
    assert "<svg" in stream.getvalue()


def test_parallel_cables_are_one_bundle():
    graph = new_graph()
    for name in ("a", "b"):
        graph.add_node(name, kind="switch", tier=1, pod=0)
    trunk(graph, "a", "b", "leaf-spine", 1e9, cables=3)
    (bundle,) = sketch_of(graph).bundles.values()
    assert (bundle.cables, bundle.bytes_per_s) == (3, 3e9)
