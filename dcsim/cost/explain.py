"""One predicted iteration as a tree: parts, operators, counts, seconds, shares."""

import numpy as np

from dcsim.cost.flops import step_flops
from dcsim.cost.parameters import Values, shipped_fit
from dcsim.cost.training import PARTS, StepModel, estimate_with, predict
from dcsim.records import Explanation
from dcsim.records.profile import Profile
from dcsim.workload.table import TrainingTable

#: Where the model of each part of a step comes from.
PART_SOURCES = {
    "compute_s": "operators of one mean stage; Korthikanti 2022, Dao 2023",
    "tp_s": "Shoeybi 2019 (arXiv 1909.08053); ring and in-switch collectives",
    "pp_bubble_s": "Narayanan 2021 (arXiv 2104.04473), section 2.2",
    "dp_s": "Rajbhandari 2019 (arXiv 1910.02054); Zhao 2023 (arXiv 2304.11277)",
    "ep_s": "Lepikhin 2020 (arXiv 2006.16668); all-to-all over the tiers",
    "cp_s": "Liu 2023 (arXiv 2310.01889)",
    "optimizer_s": "Rajbhandari 2019 (arXiv 1910.02054)",
    "other_s": "host launches, fixed step overhead, jitter between nodes",
}

#: How each part of a step is computed.
PART_FORMULAS = {
    "compute_s": "micro-batches × (layers of a stage × operators + head / stages)",
    "tp_s": "micro-batches × layers × exposed collectives",
    "pp_bubble_s": "m·(slowest − mean stage) + (p − 1)/v · mean stage + hand-overs",
    "dp_s": "exposed gradient reduction and weight gathering",
    "ep_s": "micro-batches × layers × exposed all-to-all",
    "cp_s": "micro-batches × layers × exposed key and value exchange",
    "optimizer_s": "weights of a rank × bytes a weight / bandwidth",
    "other_s": "launches beyond device time + step overhead + jitter",
}


def explain_training(
    table: TrainingTable, row: int = 0, profile: Profile | None = None
) -> Explanation:
    """The prediction of one row of `table` as a tree whose shares sum to one.

    The root is the iteration in seconds; its summands are the eight parts; compute is
    split into operators, each with its count on one rank. The three FLOP counts stand
    beside them without a share.
    """
    fit = profile.training if profile and profile.training.parameters else shipped_fit()
    one = table.take(np.array([row]))
    model, _ = predict(one, Values(one, fit.parameters))
    estimates = estimate_with(one, fit)
    total = float(estimates.iteration_s[0])
    parts = []
    for name in PARTS:
        value = float(getattr(estimates, name)[0])
        parts.append(
            Explanation(
                name=name.removesuffix("_s"),
                value=value,
                unit="s",
                formula=PART_FORMULAS[name],
                source=PART_SOURCES[name],
                share=value / total,
                inputs=_operators(model, value) if name == "compute_s" else (),
            )
        )
    return Explanation(
        name="iteration",
        value=total,
        unit="s",
        formula=" + ".join(part.name for part in parts),
        source="training-step model, parameters fitted to published runs",
        inputs=(*parts, *_flops(one, model)),
    )


def operator_seconds(model: StepModel) -> list[tuple[str, float, np.ndarray]]:
    """(operator, calls of one rank in an iteration, seconds each) of a one-row model."""
    shapes, layer, head = model.shapes, model.layer, model.head
    layers = float(np.ravel(shapes.micro_batches * shapes.mean_layers)[0])
    ends = float(np.ravel(shapes.micro_batches / shapes.pp)[0])
    return [
        ("matrix products", layers, layer.products_s),
        ("expert products", layers, layer.experts_s),
        ("attention", layers, layer.attention_s),
        ("memory passes", layers, layer.traffic_s),
        ("vocabulary product", ends, head.products_s),
        ("loss", ends, head.loss_s),
        ("embedding", ends, head.embedding_s),
    ]


def _operators(model: StepModel, total: float) -> tuple[Explanation, ...]:
    out = []
    for name, count, each in operator_seconds(model):
        seconds = float(np.ravel(each)[0])
        if seconds > 0.0:
            out.append(
                Explanation(
                    name=name,
                    value=count * seconds,
                    unit="s",
                    formula=f"{count:g} × {seconds:.4g} s",
                    share=count * seconds / total,
                )
            )
    return tuple(out)


def _flops(table: TrainingTable, model: StepModel) -> tuple[Explanation, ...]:
    flops = step_flops(table, model.shapes.weights)
    source = "Narayanan 2021 (arXiv 2104.04473), appendix; PaLM (arXiv 2204.02311), appendix B"
    return (
        Explanation("model FLOPs, causal attention halved", float(flops.causal[0]), "FLOP",
                    source=source),
        Explanation("model FLOPs, full attention", float(flops.full[0]), "FLOP", source=source),
        Explanation("hardware FLOPs, recomputation counted", float(flops.hardware[0]), "FLOP",
                    source=source),
    )  # fmt: skip
