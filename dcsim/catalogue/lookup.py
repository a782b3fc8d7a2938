"""Finding a thing by its name, and saying what was probably meant when there is none."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from dcsim.records import Fault, InputError
from dcsim.units import shown

T = TypeVar("T")

_MOST_NAMES_LISTED = 8


def fold(name: str) -> str:
    """`name` without case and punctuation, so that `A100 SXM4 80GB` meets `A100-SXM4-80GB`."""
    return "".join(c for c in name.casefold() if c.isalnum())


def suggest(name: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or the list of what there is, as the end of a sentence."""
    names = list(known)
    folded = {fold(n): n for n in reversed(names)}
    close = get_close_matches(fold(name), folded, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{folded[close[0]]}"?'
    if len(names) > _MOST_NAMES_LISTED:
        return f"there are {', '.join(names[:_MOST_NAMES_LISTED])} and more"
    return f"there is {names[0]}" if len(names) == 1 else f"there are {', '.join(names)}"


def find(kind: str, name: str, table: Mapping[str, T], aliases: Mapping[str, str]) -> T:
    """The entry of `table` called `name`, directly or by an alias.

    `aliases` maps other names to keys of `table`. Case and punctuation do not matter.
    Raises InputError with one sentence and a suggestion.
    """
    if name in table:
        return table[name]
    folded = {fold(other): key for other, key in aliases.items()}
    folded.update({fold(key): key for key in table})
    key = folded.get(fold(name))
    if key is None or not fold(name):
        raise InputError(Fault(f"there is no {kind} {shown(name)}; {suggest(name, table)}"))
    return table[key]
