"""Parameters name only generations, families, chips, kernels and widths; the fit is whole."""

import json
from importlib.resources import files

import pytest

from dcsim import catalogue
from dcsim.calibration.build_training_fit import published_rows
from dcsim.cost.parameters import generation_of, prior, shipped_fit
from dcsim.workload.software import ATTENTION_KERNELS, generations

CHIP_GENERATIONS = {"volta", "ampere", "hopper", "blackwell", "tpu", "cdna", "other"}


def _allowed() -> set[str]:
    known = generations()
    return (
        CHIP_GENERATIONS
        | set(catalogue.names("accelerators"))
        | set(known)
        | {g.family for g in known.values()}
        | set(ATTENTION_KERNELS)
        | {"4", "8", "16", "32"}
    )


def _qualifiers(name: str) -> str:
    """What follows the physical quantity in a parameter's name, '' for a shared one."""
    text = files("dcsim.cost").joinpath("data", "training-priors.csv").read_text()
    patterns = [line.split(",")[0] for line in text.splitlines()[1:]]
    if name in patterns:
        return ""
    heads = [p.partition("{")[0] for p in patterns if "{" in p]
    return name[max(len(head) for head in heads if name.startswith(head)) :]


def test_no_parameter_belongs_to_a_row_a_model_or_a_source() -> None:
    allowed = _allowed()
    for name in shipped_fit().parameters:
        qualifier = _qualifiers(name)
        assert not qualifier or qualifier in allowed, name
    rows = published_rows()
    forbidden = {row["row_id"] for row in rows} | {row["model"] for row in rows}
    forbidden |= {row["source"] for row in rows}
    text = json.dumps(dict(shipped_fit().parameters))
    assert not [name for name in forbidden if f'"{name}"' in text or f".{name}" in text]


def test_software_generations_are_shared_by_several_configurations() -> None:
    """No generation of the table is a way to name one source's single row."""
    assert len(generations()) < 40


def test_every_fitted_parameter_has_a_prior_and_stays_inside_its_bounds() -> None:
    for name, value in shipped_fit().parameters.items():
        belief = prior(name)
        assert belief.lower * (1 - 1e-5) <= value <= belief.upper * (1 + 1e-5), name


def test_the_fit_says_what_it_rests_on() -> None:
    report = shipped_fit().fit_report
    assert report["rows"] > 800
    assert report["group_held_out"]["median"] < 0.15
    assert shipped_fit().spread["base"] > 0.0


@pytest.mark.parametrize(
    ("name", "generation"),
    [("A100-SXM-80", "ampere"), ("H100-SXM", "hopper"), ("GB200", "blackwell"),
     ("GH200-96", "hopper"), ("TPU-v5p", "tpu"), ("MI300X", "cdna"),
     ("Gaudi3", "other"), ("A10", "ampere")],
)  # fmt: skip
def test_accelerators_belong_to_generations(name: str, generation: str) -> None:
    assert generation_of(name) == generation
