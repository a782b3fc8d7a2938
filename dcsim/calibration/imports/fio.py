"""The JSON of fio (`--output-format=json`) → the peak of a storage system.

Of each entry of `jobs`: `jobname`, `groupid`, and in `read` and `write` the bytes a second
`bw_bytes`. Jobs of one group ran together and are summed; the best group is the peak.
"""

from collections import defaultdict
from pathlib import Path

from dcsim.calibration.imports.text import fault, number, read_json
from dcsim.records.measurements import StoragePeak


def read_fio(path: Path) -> StoragePeak:
    """The most that was read and written at once; InputError where it is no fio result."""
    jobs = read_json(path, "fio").get("jobs")
    if not isinstance(jobs, list) or not jobs:
        raise fault(path, 'has no list "jobs"; run fio with --output-format=json')
    sums: dict[str, dict[object, float]] = {"read": defaultdict(float), "write": defaultdict(float)}
    for job in jobs:
        if not isinstance(job, dict):
            raise fault(path, 'has an entry of "jobs" that is no object; fio writes objects there')
        for way, groups in sums.items():
            part = job.get(way, {})
            if part and number(path, part, "bw_bytes", "fio"):
                groups[job.get("groupid", 0)] += float(part["bw_bytes"])
    best = {way: max(groups.values(), default=0.0) for way, groups in sums.items()}
    if not any(best.values()):
        raise fault(path, "says that no byte was moved; a measurement moves some")
    return StoragePeak(best["read"], best["write"], f"fio: {path.name}")
