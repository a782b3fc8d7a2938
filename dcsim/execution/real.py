"""The real jobs of a scenario: executed truly once, then read from the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dcsim.execution.cache import cache_directory, cache_path, read_run, write_run
from dcsim.execution.measure import measure_job
from dcsim.records import Fault, InputError, RealRun
from dcsim.scenario.resolved import RealWork
from dcsim.training.jobs import job
from dcsim.training.loop import Progress


def run_real_job(
    work: RealWork,
    *,
    measure: bool,
    progress: Callable[[Progress], None] | None = None,
) -> RealRun:
    """The measured run of a scenario's real job, under the name that the scenario gives it.

    A run measured earlier on this machine, with the same job, parameters and training
    source, is read from the cache (`cached` is then true) unless `measure` renews it.
    Raises InputError for an unknown job or parameter.
    """
    try:
        chosen = job(work.job, **work.parameters)
    except InputError as error:
        faults = [
            Fault(f.message, field=f.field.replace(work.job, work.name)) for f in error.faults
        ]
        raise InputError(faults) from None
    path = cache_path(chosen)
    kept = None if measure else read_run(path)
    if kept is not None:
        return kept.renamed(work.name)
    run = measure_job(chosen, name=work.name, on_progress=progress)
    if not write_run(path, run):
        note = f"the cache directory {cache_directory()} cannot be written; the run was not kept"
        run = replace(run, notes=(*run.notes, note))
    return run
