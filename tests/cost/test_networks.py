"""Networks of operators: published sizes, published speeds, limits, and the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dcsim import catalogue
from dcsim.cli.main import app
from dcsim.cost.networks import accelerator_operator, estimate_network
from dcsim.cost.operators import Work, operator_time
from dcsim.cost.parameters import shipped_fit
from dcsim.cost.row_estimates import estimate_rows
from dcsim.cost.training import PARTS
from dcsim.records import InputError, Tiers
from dcsim.workload.networks import network_of

TIERS = Tiers(
    ("node", "network"),
    np.array([8, 64]),
    np.array([300e9, 25e9]),
    np.array([2e-6, 6e-6]),
    np.array([False, False]),
)

#: ResNet-50 in fp32, images/s of one board at its rated power: Zeus power traces
#: (SymbioticLab/Zeus@3df2fc4, summary_power_v100.csv), epochs/s × 1,281,167 images.
MEASURED = ((32, 316.3), (64, 341.3), (128, 355.5), (192, 363.0), (256, 364.5), (360, 364.0))


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("vgg-16", 0.0),
        ("resnet-50", 0.0),
        ("dlrm", 0.001),
        ("transformer-base", 0.035),
        ("transformer-big", 0.01),
    ],
)
def test_parameters_agree_with_the_published(name: str, tolerance: float) -> None:
    """The paper prints 65 M for the base Transformer, whose matrices hold 63 M."""
    card = catalogue.model(name)
    assert network_of(card).parameters == pytest.approx(card.published_parameters, rel=tolerance)


@pytest.mark.parametrize("name", ["vgg-16", "resnet-50"])
def test_flops_agree_with_the_published(name: str) -> None:
    card = catalogue.model(name)
    assert network_of(card).forward_flop == pytest.approx(card.published_flop, rel=0.002)


def test_transformer_flops_are_two_for_each_weight_and_token() -> None:
    network = network_of(catalogue.model("transformer-base"))
    layers, d, tokens = 6, 512, 128
    weights = layers * (12 * d * d + 4 * d * 2048) + 37000 * d
    attention = 18 * 4 * tokens * tokens * d
    assert network.forward_flop == pytest.approx(2 * weights * tokens + attention)


def test_a_recommender_counts_each_pair_of_features() -> None:
    operators = {o.name: o for o in network_of(catalogue.model("dlrm")).operators}
    assert operators["interaction"].flop == 2 * 27 * 27 * 128
    assert operators["tables"].table_parameters == 187_767_399 * 128


def test_a_product_is_the_common_operator_form() -> None:
    """One dense layer without anything else: three times `operator_time`."""
    network = network_of(catalogue.model("vgg-16"))
    chip = catalogue.accelerator("A100-SXM-80")
    step = estimate_network(network, chip, TIERS, 1, 64, "bf16")
    last, seconds = network.operators[-1], step.operators[-1][1]
    moved = 2.0 * (64 * (4096 + 1000) + last.parameters)
    work = Work(2.0 * 64 * 4096 * 1000, moved, moved)
    form = accelerator_operator(chip, "bf16", shipped_fit())
    assert seconds == pytest.approx(3.0 * float(operator_time(work, form)))


def test_resnet_on_a_v100_is_near_the_measured_rate() -> None:
    network, chip = network_of(catalogue.model("resnet-50")), catalogue.accelerator("V100-PCIe-32")
    ratios = []
    for batch, measured in MEASURED:
        step = estimate_network(network, chip, TIERS, 1, batch, "fp32")
        assert step.low_s < batch / measured < step.high_s
        ratios.append(step.samples_per_s / measured)
    assert np.median(np.abs(np.log(ratios))) < 0.25


def test_replicas_add_exchanges_and_share_tables() -> None:
    network, chip = network_of(catalogue.model("dlrm")), catalogue.accelerator("A100-SXM-80")
    one = estimate_network(network, chip, TIERS, 1, 2048)
    many = estimate_network(network, chip, TIERS, 16, 2048)
    assert not one.fits
    assert many.fits
    assert one.dp_s == one.tables_s == 0.0
    assert many.tables_s > 0.0
    assert many.step_s > one.step_s
    parts = many.products_s + many.traffic_s + many.host_s + many.dp_s
    assert parts + many.tables_s + many.optimizer_s == pytest.approx(many.step_s)


def test_wrong_sizes_and_models_are_refused() -> None:
    network, chip = network_of(catalogue.model("dlrm")), catalogue.accelerator("A100-SXM-80")
    with pytest.raises(InputError, match="at least 1"):
        estimate_network(network, chip, TIERS, 0, 1)
    with pytest.raises(InputError, match="not described by operators"):
        network_of(catalogue.model("llama3-8b"))


def test_estimate_reads_named_models(tmp_path: Path) -> None:
    fields = ("model", "accelerator", "n_gpus", "global_batch", "precision", "seq_len")
    rows = (
        ("resnet-50", "A100-80GB-SXM", "8", "2048", "bf16", ""),
        ("llama3-8b", "H100-SXM", "64", "512", "bf16", "8192"),
        ("dlrm", "A100-80GB-SXM", "1", "2048", "bf16", ""),
        ("resnet-50", "A1000", "1", "32", "bf16", ""),
        ("nobody", "H100-SXM", "8", "32", "bf16", ""),
        ("none.json", "H100-SXM", "8", "32", "bf16", ""),
    )
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows((fields, *rows))
    result = CliRunner().invoke(app, ["estimate", "training", str(path), "--json"])
    assert result.exit_code == 0, result.output
    image, text, clicks, chip, name, missing = json.loads(result.stdout)["rows"]
    assert sum(image[part] for part in PARTS) == pytest.approx(image["predicted_iteration_s"])
    assert image["low_s"] < image["predicted_iteration_s"] < image["high_s"]
    assert "data parallel" in image["assumptions"]
    assert text["status"] == "ok"
    assert text["predicted_iteration_s"] > 0
    assert clicks["fits"] is False
    assert clicks["predicted_iteration_s"] is None
    assert "A1000" in chip["reason"]
    assert "layers" in name["reason"]
    assert "cannot read the model" in missing["reason"]


def test_a_named_model_is_its_shape() -> None:
    card = catalogue.model("llama3-8b")
    row = {"accelerator": "H100-SXM", "n_gpus": 64, "global_batch": 512, "tp": 2, "pp": 1,
           "vp": 1, "cp": 1, "ep": 1, "micro_batch": 1, "precision": "bf16",
           "recompute": "none", "zero_stage_or_fsdp": "ZeRO-1", "sequence_parallel": "yes",
           "software": "nemo-2024"}  # fmt: skip
    shape = {"layers": card.layers, "hidden": card.hidden, "ffn_hidden": card.ffn_hidden,
             "heads": card.heads, "kv_heads": card.kv_heads, "vocab": card.vocab,
             "seq_len": card.seq_len, "mlp_matrices": 3, "tied_embeddings": "no"}  # fmt: skip
    named, spelled = estimate_rows([row | {"model": "llama3-8b"}, row | shape], shipped_fit()).rows
    assert {**named, "row_id": ""} == {**spelled, "row_id": ""}
