"""`dcsim train`: one real NumPy training job by itself."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    job: Annotated[str | None, typer.Argument(help="A ready job; see --list.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training data.")] = None,
    seed: Annotated[int | None, typer.Option(help="Starting weights and order of batches.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that train the job together.")
    ] = None,
    parallel: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="How they share it: data, tensor or pipeline."),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other parameter of the job."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Train a classifier on this .npy or .csv: last column the label."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory for the history [reports/train-JOB].")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in that directory.")
    ] = False,
    encrypt: Annotated[
        bool,
        typer.Option(
            "--encrypt",
            help="Encrypt checkpoints, with --key or with a passphrase (DCSIM_PASSPHRASE).",
        ),
    ] = False,
    key: Annotated[
        Path | None, typer.Option(help="Encrypt checkpoints with the key in this file.")
    ] = None,
    private: Annotated[
        bool,
        typer.Option("--private", help="Train with DP-SGD, and beside it without."),
    ] = False,
    epsilon: Annotated[
        float | None, typer.Option(help="Privacy to spend at most [3]; finds the noise.")
    ] = None,
    epsilons: Annotated[
        str | None, typer.Option(metavar="E1,E2,…", help="Several of them, compared.")
    ] = None,
    delta: Annotated[float | None, typer.Option(help="Its chance to fail [1e-5].")] = None,
    noise: Annotated[
        float | None, typer.Option(help="The noise itself, in units of the clip.")
    ] = None,
    clip: Annotated[float | None, typer.Option(help="Largest gradient of a sample [1].")] = None,
    cheaper: Annotated[
        bool,
        typer.Option("--cheaper", help="Also measure 8-bit weights, pruning and batch sizes."),
    ] = False,
    search: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="TRIALS", help="Search better settings; poor trials stop early."
        ),
    ] = None,
    slots: Annotated[
        int | None, typer.Option(min=1, help="Trials of a search at a time [all cores].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the ready jobs and stop.")] = False,
) -> None:
    """Train one real NumPy job in a process of its own and write its history."""
    from dcsim.cli import _train
    from dcsim.cli._train_privacy import wanted

    if listed:
        _train.show_jobs(as_json)
        return
    settings = _train.parameters(
        parameter or [], epochs=epochs, seed=seed, workers=workers, parallel=parallel, data=data
    )
    name = _train.chosen_job(job, data)
    if search is not None:
        from dcsim.cli import _search

        _search.run(name, settings, out, resume, search, slots, as_json)
        return
    asked = _train.Asked(
        out=out,
        resume=resume,
        cheaper=cheaper,
        as_json=as_json,
        secret=_train.secret(encrypt, key),
        key=key,
        private=wanted(private, noise, clip, epsilon, delta, epsilons),
    )
    _train.run(name, settings, asked)
