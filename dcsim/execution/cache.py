"""Measurements of real jobs, kept in the user's cache directory by what they depend on."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import dcsim.training
from dcsim.records import RealRun
from dcsim.training.checkpoint import write_atomically
from dcsim.training.jobs import Job
from dcsim.workers import machine_identity


def cache_directory() -> Path:
    """Where measurements are kept: DCSIM_CACHE_DIR, else the user's cache directory."""
    chosen = os.environ.get("DCSIM_CACHE_DIR")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("dcsim"))


@cache
def source_hash() -> str:
    """SHA-256 over the source of the training package: another source, another measurement."""
    digest = hashlib.sha256()
    for path in sorted(Path(dcsim.training.__path__[0]).glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def machine_text() -> str:
    """The machine in one line."""
    machine = machine_identity()
    return f"{machine.cpu}, {machine.cores} cores, NumPy {machine.numpy}, {machine.blas}"


def cache_path(job: Job) -> Path:
    """The file of a job's measurement: hash of job, machine and training source.

    A user's own table counts by its content, not by its path.
    """
    table = Path(job.table)
    content = hashlib.sha256(table.read_bytes()).hexdigest() if table.is_file() else ""
    key = {
        "job": job.name,
        "parameters": {**job.parameters(), "table": content},
        "machine": asdict(machine_identity()),
        "source": source_hash(),
    }
    text = json.dumps(key, sort_keys=True)
    return cache_directory() / "real-jobs" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def read_run(path: Path) -> RealRun | None:
    """The measurement in a cache file; None when there is none that can be read."""
    try:
        run = RealRun.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return replace(run, cached=True)


def write_run(path: Path, run: RealRun) -> bool:
    """Keep a measurement; False when the cache directory cannot be written."""
    try:
        write_atomically(path, json.dumps(run.to_json()).encode())
    except OSError:
        return False
    return True
