"""`dcsim flows`: the table it writes and the one sentence for each fault."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcsim.cli.main import app

LINK = {"id": "up", "capacity": 2.0, "latency": 0.0}
FLOW = {"id": "f", "route": ["up"], "size": 4.0, "start": 1.0}


def write(path: Path, links: list[object], flows: list[object]) -> str:
    file = path / "flows.json"
    scenario = {"name": "s", "links": links, "flows": flows}
    file.write_text(json.dumps({"format": "dcsim-netflows/1", "scenarios": [scenario]}))
    return str(file)


def test_times_are_written_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, [LINK], [FLOW, FLOW | {"id": "g", "size": 2}])
    result = CliRunner().invoke(app, ["flows", file])
    assert result.exit_code == 0
    assert result.stdout == "scenario,flow,completion_s\ns,f,4.0\ns,g,3.0\n"
    out = tmp_path / "out.csv"
    assert CliRunner().invoke(app, ["flows", file, "--out", str(out)]).stdout == ""
    assert out.read_text() == result.stdout


def test_json_is_one_document_with_the_worst_error(tmp_path: Path) -> None:
    file = write(tmp_path, [LINK], [FLOW | {"completion_time": 3.1}])
    result = CliRunner().invoke(app, ["flows", file, "--json"])
    document = json.loads(result.stdout)
    assert document["rows"] == [{"scenario": "s", "flow": "f", "completion_s": 3.0}]
    assert document["errors"][0]["worst"] == pytest.approx(0.1 / 2.1)
    assert "worst error" in result.stderr


@pytest.mark.parametrize(
    ("links", "flows", "sentence"),
    [
        ([LINK | {"capacity": 0}], [FLOW], "s.up: capacity is 0; give a finite number above 0"),
        ([LINK | {"capacity": None}], [FLOW], "s.up: capacity is null"),
        ([{"id": "up"}], [FLOW], "s.up: capacity is missing"),
        ([LINK | {"latency": -1}], [FLOW], "s.up: latency is -1"),
        ([LINK, LINK], [FLOW], 'two links "up"'),
        ([LINK], [FLOW, FLOW], 'two flows "f"'),
        ([LINK], [FLOW | {"size": -4}], "s.f: size is -4"),
        ([LINK], [FLOW | {"size": float("nan")}], "s.f: size is NaN"),
        ([LINK], [FLOW | {"size": True}], "s.f: size is true"),
        ([LINK], [FLOW | {"weight": 0}], "s.f: weight is 0"),
        ([LINK], [FLOW | {"start": "now"}], 's.f: start is "now"'),
        ([LINK], [FLOW | {"route": []}], "s.f: the route is empty"),
        ([LINK], [FLOW | {"route": ["upp"]}], 'no known link "upp"; did you mean "up"?'),
        ([], [FLOW], "the scenario has no links"),
        ([LINK], ["f"], "a flow must be an object"),
    ],
)
def test_a_fault_is_one_sentence_and_exit_2(
    tmp_path: Path, links: list[object], flows: list[object], sentence: str
) -> None:
    result = CliRunner().invoke(app, ["flows", write(tmp_path, links, flows)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"scenarios": 3}', '{"scenarios": [4]}'])
def test_what_is_no_flow_file_is_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "flows.json"
    file.write_text(text)
    result = CliRunner().invoke(app, ["flows", str(file)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["flows", str(tmp_path / "none.json")])
    assert result.exit_code == 2
    assert "cannot read the flows" in result.stderr


WIDE = {"id": "a", "capacity": 1e9}


@pytest.mark.parametrize(
    ("link", "flow", "sentence"),
    [
        (WIDE, {"size": 1e300}, "size is 1e+300; give a number of at most 1e+30"),
        (WIDE, {"size": 1, "weight": 1e-300}, "weight is 1e-300; give a number of 1e-30 to 1e+30"),
        ({**WIDE, "capacity": 1e-320}, {"size": 1}, "give a number of 1e-30 to 1e+30"),
        (WIDE, {"size": 1, "route": "a"}, "the route is no list"),
        (WIDE, {"size": 1, "id": "\ud800"}, "is no valid text"),
    ],
)
def test_numbers_and_names_beyond_all_bounds_are_said(tmp_path: Path, link, flow, sentence) -> None:
    flows = [{"id": "f", "route": ["a"]} | flow]
    result = CliRunner().invoke(app, ["flows", write(tmp_path, [link], flows)])
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_table_is_written_whole_and_over_an_older_one(tmp_path: Path) -> None:
    out = tmp_path / "times.csv"
    out.write_text("old")
    file = write(tmp_path, [WIDE], [{"id": "f", "route": ["a"], "size": 2e9}])
    assert CliRunner().invoke(app, ["flows", file, "--out", str(out)]).exit_code == 0
    assert out.read_text().splitlines()[1].endswith(",f,2.0")
    assert not list(tmp_path.glob(".*partial"))
