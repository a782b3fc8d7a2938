"""A user's own measurements: logs of common tools, read into a profile."""

from dcsim.calibration.imports.profile import READERS, measurements_text, with_logs

__all__ = ["READERS", "measurements_text", "with_logs"]
