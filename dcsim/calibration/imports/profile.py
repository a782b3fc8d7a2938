"""Logs → a profile that says what they say, and where they were read."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dcsim.calibration.imports.dcgm import read_dcgm
from dcsim.calibration.imports.failures import read_failures
from dcsim.calibration.imports.fio import read_fio
from dcsim.calibration.imports.nccl import read_nccl
from dcsim.calibration.imports.vllm import read_vllm
from dcsim.records.measurements import LinkShare, Measurements
from dcsim.records.profile import Profile, TrainingFit

READERS: Mapping[str, Callable[[Path], Any]] = {
    "nccl": read_nccl,
    "fio": read_fio,
    "dcgm": read_dcgm,
    "failures": read_failures,
    "vllm": read_vllm,
}


def with_logs(profile: Profile, logs: Mapping[str, Path]) -> Profile:
    """`profile` with what the logs say, each read by the reader of its name.

    A newer measurement of the same thing takes the place of an older one. Raises
    InputError, before anything is changed, for a log that cannot be read.
    """
    found = {name: READERS[name](path) for name, path in logs.items()}
    known, training = profile.measured, profile.training
    for name, one in found.items():
        known = _added(known, name, one)
        if name == "nccl":
            training = _with_links(training, one)
    sources = {f"measured {name}": one.source for name, one in found.items()}
    return replace(
        profile,
        training=training,
        measured=known,
        sources={**profile.sources, **sources},
    )


def _added(known: Measurements, name: str, one: Any) -> Measurements:
    if name == "nccl":
        others = [x for x in known.links if (x.accelerator, x.tier) != (one.accelerator, one.tier)]
        return replace(known, links=(*others, one))
    if name == "dcgm":
        curves = [x for x in known.power if x.accelerator != one.accelerator]
        return replace(known, power=(*curves, one))
    if name == "vllm":
        return replace(known, serving=(*(x for x in known.serving if x != one), one))
    return replace(known, **{{"fio": "storage", "failures": "failures"}[name]: one})


def _with_links(training: TrainingFit, link: LinkShare) -> TrainingFit:
    """The training model's network parameters in the place of those of published runs."""
    names = ("network.inner",) if link.tier == "inside" else ("network.outer", "network.shared")
    moved = dict.fromkeys(names, min(link.share, 1.0))
    parameters = {**training.parameters, **moved, "network.step_s": link.step_s}
    return replace(training, parameters=parameters)


def measurements_text(known: Measurements) -> str:
    """What a profile has been told, a line each, and what reads it."""
    lines = [
        f"{one.accelerator}, {one.tier} a domain: {one.share:.0%} of the wire, "
        f"{one.step_s * 1e6:.3g} µs a step (spread {one.spread:.0%}, {one.rows} sizes)"
        for one in known.links
    ]
    if known.storage is not None:
        read, write = known.storage.read_bytes_per_s, known.storage.write_bytes_per_s
        lines.append(f"storage peak: {read / 1e9:.3g} GB/s read, {write / 1e9:.3g} GB/s written")
    lines += [
        f"{one.accelerator}: {one.idle_w:.0f} W idle, {one.busy_w:.0f} W busy "
        f"(± {one.spread_w:.0f} W, {one.readings} readings)"
        for one in known.power
    ]
    if known.failures is not None:
        per_year = 365 * 86400.0
        lines += [
            f"{name} failures: {per_year * one.per_accelerator_s:.3g} an accelerator and year "
            f"({per_year * one.low_per_accelerator_s:.3g} – "
            f"{per_year * one.high_per_accelerator_s:.3g}), {one.count} seen"
            for name, one in known.failures.classes.items()
        ]
    lines += [
        f"{one.model}: {one.requests_per_s:.3g} requests/s, {one.output_tokens_per_s:.4g} "
        f"tokens/s, first token {one.mean_ttft_s * 1e3:.3g} ms (kept; no figure reads it yet)"
        for one in known.serving
    ]
    return "\n".join(lines)
