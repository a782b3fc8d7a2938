"""The section on what jobs share: the heat map, the slowdowns, and when there is nothing."""

import numpy as np
import pandas as pd

from dcsim.report.sections.sharing import what_jobs_share
from dcsim.report.view import View


def view(load=(), sharing=()):
    frames = {
        "load": pd.DataFrame(load, columns=["time_s", "name", "share"]),
        "sharing": pd.DataFrame(
            sharing, columns=["job", "alone_s", "shared_s", "slowdown", "at_fault"]
        ),
    }
    return View("run", {}, frames)


def loads(**shares):
    times = np.linspace(3600.0, 36000.0, 10)
    return [(t, name, share) for name, share in shares.items() for t in times]


def test_busy_links_are_drawn_and_idle_ones_are_not() -> None:
    block = what_jobs_share(view(loads(disks=0.8, spine=0.0)))
    assert block is not None
    assert "disks, reached 80 %" in block.source.replace("\u00a0", " ")
    assert list(block.figures) == ["load"]
    assert block.figures["load"].startswith(b"<?xml")
    again = what_jobs_share(view(loads(disks=0.8, spine=0.0)))
    assert again is not None
    assert again.figures == block.figures


def test_the_most_slowed_job_comes_first_with_what_is_at_fault() -> None:
    rows = [
        ("calm", 100.0, 100.0, 1.0, ""),
        ("slow", 100.0, 120.0, 1.2, "storage read"),
        ("slower", 100.0, 150.0, 1.5, "storage write (server 3 lost)"),
    ]
    block = what_jobs_share(view(sharing=rows))
    assert block is not None
    text = block.source.replace("\u00a0", " ")
    assert text.index("slower") < text.index('"slow"')
    assert "server 3 lost" in text
    assert "calm" not in text


def test_jobs_that_cost_each_other_nothing_are_said_to() -> None:
    block = what_jobs_share(view(sharing=[("calm", 100.0, 100.0, 1.0, "")]))
    assert block is not None
    assert "No job is slowed" in block.source.replace("\u00a0", " ")


def test_no_table_no_section() -> None:
    assert what_jobs_share(view()) is None
