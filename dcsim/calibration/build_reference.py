"""Measures the host half of the reference profile: `-m dcsim.calibration.build_reference`.

Run it on a quiet machine, from a source tree; it takes about five minutes and replaces
`dcsim/calibration/data/host-profile.json`. The training half, fitted to published runs,
is the cost package's and is merged in when the profile is loaded.
"""

import sys
from pathlib import Path

from dcsim.calibration.calibrate import Progress, calibrate_host
from dcsim.calibration.profiles import HOST_FILE, profile_text
from dcsim.calibration.summary import calibration_text
from dcsim.records.profile import host_to_json


class _Plain:
    """Stages as plain lines on standard error."""

    def start(self, stage: str, what: str, total: int | None = None) -> None:
        """Name the stage."""
        sys.stderr.write(f"{stage}: {what}\n")

    def advance(self, done: int) -> None:
        """Say nothing within a stage."""

    def finish(self, note: str = "") -> None:
        """Say what came out."""
        sys.stderr.write(f"  {note}\n")


def main(progress: Progress) -> None:
    """Calibrate in full and replace the shipped file."""
    host = calibrate_host(False, progress)
    target = Path(__file__).parent / HOST_FILE[1]
    target.parent.mkdir(exist_ok=True)
    target.write_text(profile_text(host_to_json(host)), encoding="utf-8")
    sys.stdout.write(calibration_text(host) + "\n")


if __name__ == "__main__":
    main(_Plain())
