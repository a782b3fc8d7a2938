"""A shared directory behind a rate limit: the storage of a rehearsal."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

#: Bytes moved at a time: transfers that run at once take turns by so many.
CHUNK_BYTES = 128 << 10
_CLOCK = struct.Struct("d")


@dataclass(frozen=True, slots=True)
class SharedStorage:
    """Files in `directory`, read at `rate_bytes_per_s` in all, and written at the same rate.

    Every process that opens the directory shares the limit: a file for each direction says
    until when the storage is taken, and whoever moves a chunk puts itself behind that. So
    transfers that run at once get equal shares, and a process that is killed leaves at most
    one chunk behind. The limit is of bytes; opening and closing costs nothing.
    """

    directory: Path
    rate_bytes_per_s: float

    def has(self, name: str) -> bool:
        """Whether there is a file `name`."""
        return (self.directory / name).is_file()

    def read(self, name: str) -> bytes:
        """The content of a file; OSError when there is none."""
        parts = []
        with (self.directory / name).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                self._wait_turn("read", len(chunk))
                parts.append(chunk)
        return b"".join(parts)

    def write(self, name: str, content: bytes) -> None:
        """Replace a file by `content` in one move, once all of it is written."""
        partial = self.directory / f".{name}.{os.getpid()}"
        with partial.open("wb") as file:
            for start in range(0, len(content), CHUNK_BYTES):
                chunk = content[start : start + CHUNK_BYTES]
                self._wait_turn("write", len(chunk))
                file.write(chunk)
        partial.replace(self.directory / name)

    def _wait_turn(self, direction: str, size: int) -> None:
        """Return when `size` more bytes have had the time that they take."""
        descriptor = os.open(self.directory / f".{direction}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # The system gives the lock back when the process is killed.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            kept = os.pread(descriptor, _CLOCK.size, 0)
            taken_until = _CLOCK.unpack(kept)[0] if kept else 0.0
            done = max(time.monotonic(), taken_until) + size / self.rate_bytes_per_s
            os.pwrite(descriptor, _CLOCK.pack(done), 0)
        finally:
            os.close(descriptor)
        time.sleep(max(done - time.monotonic(), 0.0))
