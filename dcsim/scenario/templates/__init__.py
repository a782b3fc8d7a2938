"""Starter scenarios: one commented file each, whose first line says what it asks."""

from collections.abc import Mapping
from importlib.resources import files

from dcsim import catalogue
from dcsim.records import InputError

_SUFFIX = ".yaml"


def templates() -> Mapping[str, str]:
    """Every template by name, in alphabetical order, with what it is for."""
    texts = {
        entry.name.removesuffix(_SUFFIX): entry.read_text(encoding="utf-8")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(_SUFFIX)
    }
    return {name: texts[name].partition("\n")[0].lstrip("# ") for name in sorted(texts)}


def template(name: str) -> str:
    """The text of a template; InputError, with the nearest name, where there is none."""
    known = list(templates())
    if name not in known:
        raise InputError(f'there is no template "{name}"; {catalogue.suggest(name, known)}')
    return files(__name__).joinpath(name + _SUFFIX).read_text(encoding="utf-8")
