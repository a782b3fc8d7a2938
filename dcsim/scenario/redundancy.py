"""How storage survives the loss of a server: `replication 3` or `erasure 8+2`."""

import re

from dcsim.units import QuantityError, shown

_REPLICATION = re.compile(r"replication (?:x|×)?\s*(\d{1,3})")
_ERASURE = re.compile(r"erasure (\d{1,3})\s*\+\s*(\d{1,3})")


def read_redundancy(text: str) -> tuple[int, int]:
    """Data and parity parts of a stripe; replication 3 is one data part and two copies.

    Raises QuantityError with one sentence.
    """
    replication = _REPLICATION.fullmatch(text.strip())
    if replication and int(replication[1]) >= 1:
        return 1, int(replication[1]) - 1
    erasure = _ERASURE.fullmatch(text.strip())
    if erasure and int(erasure[1]) >= 1:
        return int(erasure[1]), int(erasure[2])
    raise QuantityError(f'{shown(text)} is no redundancy; write "replication 3" or "erasure 8+2"')
