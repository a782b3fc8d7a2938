"""How a trace is replayed beyond the policy's name: placement, quotas, windows, costs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from dcsim.records import InputError
from dcsim.scheduling.node_modes import BEST_FIT, PACK, SPREAD
from dcsim.scheduling.ranking import (
    PLAIN_POLICIES,
    POLICIES,
    Ranking,
    Tuning,
    Window,
    ranking,
)
from dcsim.units import QuantityError, parse

PLACEMENT_MODES: Mapping[str, int] = {"best-fit": BEST_FIT, "pack": PACK, "spread": SPREAD}

__all__ = [
    "PLACEMENT_MODES",
    "PLAIN_POLICIES",
    "POLICIES",
    "Options",
    "Ranking",
    "Tuning",
    "Window",
    "parse_quotas",
    "parse_tuning",
    "parse_window",
    "ranking",
]


@dataclass(frozen=True, slots=True)
class Options:
    """Everything beyond policy and machine.

    `quota` limits what an account holds at once: by name, with the empty name for every
    account not named; accounts are users or groups by `quota_by`. A preempted job first
    spends `restart_s` when it starts again (writing and reading its checkpoint).
    """

    placement: str = "best-fit"
    quota: Mapping[str, int] = field(default_factory=dict)
    quota_by: str = "group"
    windows: tuple[Window, ...] = ()
    restart_s: float = 0.0
    tuning: Tuning = field(default_factory=Tuning)

    def is_plain(self) -> bool:
        """Whether placement, quotas and windows are the reference's: none."""
        return self.placement == "best-fit" and not self.quota and not self.windows


def parse_quotas(texts: Iterable[str]) -> tuple[dict[str, int], str]:
    """Quotas written `vc=64`, `vc:research=64`, `user=8` or `user:ann=32`, and whose they are.

    Raises `InputError` for another form or for users and virtual clusters at once.
    """
    quota: dict[str, int] = {}
    kinds = set()
    for text in texts:
        match = re.fullmatch(r"(user|vc)(?::(.+))?=(\d+)", text.strip())
        if not match:
            raise InputError(
                f'--quota "{text}": write user=N or vc=N for each of them, vc:NAME=N for one'
            )
        kinds.add("user" if match[1] == "user" else "group")
        quota[match[2] or ""] = int(match[3])
    if len(kinds) > 1:
        raise InputError("--quota: limit either users or virtual clusters, not both at once")
    return quota, kinds.pop() if kinds else "group"


def parse_window(text: str, reserved: bool) -> Window:
    """A window written `0-15@2d..3d`; a reservation names its owner, `0-15@2d..3d=ann`.

    Nodes are counted from 0, both ends included; one number is one node. On a pool the
    range only says how many accelerators. Raises `InputError`.
    """
    match = re.fullmatch(r"(\d+)(?:-(\d+))?@(.+?)\.\.([^=]+)(?:=(.+))?", text.strip())
    if not match or bool(match[5]) != reserved:
        example = "0-15@2d..3d=ann" if reserved else "0-15@2d..3d"
        raise InputError(f'"{text}": write nodes@from..to{"=owner" * reserved}, as in "{example}"')
    first = int(match[1])
    last = int(match[2] or match[1]) + 1
    start_s, end_s = (_time(match[i], text) for i in (3, 4))
    if last <= first or end_s <= start_s:
        raise InputError(f'"{text}": the range of nodes and the time must not be empty')
    return Window(first, last, start_s, end_s, match[5])


def parse_tuning(texts: Iterable[str]) -> Tuning:
    """Settings written `half-life=7d` or `age-weight=1000`; raises `InputError`."""
    known = {f.name.removesuffix("_s").replace("_", "-"): f.name for f in fields(Tuning)}
    tuning = Tuning()
    for text in texts:
        name, _, value = text.partition("=")
        if name.strip() not in known or not value:
            raise InputError(f'--tune "{text}": write KEY=VALUE with one of {", ".join(known)}')
        target = known[name.strip()]
        try:
            number = _time(value, text) if target.endswith("_s") else float(value)
        except ValueError:
            raise InputError(f'--tune "{text}": {value!r} is not a number') from None
        if number < 0 or (target.endswith("_s") and number == 0):
            raise InputError(f'--tune "{text}": a positive number is needed')
        tuning = replace(tuning, **{target: number})
    return tuning


def _time(text: str, whole: str) -> float:
    """Seconds of `2d` or of a plain number of seconds."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parse(text, "time")
    except QuantityError as error:
        raise InputError(f'"{whole}": {error}') from None
