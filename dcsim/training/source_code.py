"""Data sets made from the source of Python's standard library, as CPython ships it.

Real text and real choices of people, present wherever dcsim runs: what calls a function
makes together (for recommendation) and what a passage is about (for classification). The
numbers of rows differ a little between versions of Python.
"""

from __future__ import annotations

import re
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dcsim.training.base import Array
from dcsim.training.data import SHARES, SPLIT_SEED, Dataset, Part
from dcsim.training.pooling import PADDING

#: Folders that some distributions leave out, or that hold tables and not code.
_SKIPPED = frozenset(
    "test tests idle_test site-packages dist-packages __pycache__ lib2to3 distutils "
    "turtledemo idlelib tkinter encodings pydoc_data ensurepip config".split()
)
_KEYWORDS = frozenset(
    "if for while and or not in return elif lambda yield assert except with del is from "
    "import raise else await".split()
)
_FUNCTION = re.compile(r"\n\s*(?:async )?def \w+\(")
_CALL = re.compile(r"([A-Za-z_]\w*)\(")
_WORD = re.compile(r"[A-Za-z]+")

#: Calls that fewer functions make than this are too rare to learn.
RAREST_CALL = 15
#: Calls of a function that the network sees at most.
HISTORY = 12

#: The classes of passages, and the packages of the standard library that each stands for.
SUBJECTS: dict[str, tuple[str, ...]] = {
    "asyncio": ("asyncio",),
    "email": ("email",),
    "multiprocessing": ("multiprocessing",),
    "unittest": ("unittest",),
    "web": ("http", "urllib"),
    "xml": ("xml",),
}
#: Words that are told apart; all rarer ones share one id.
VOCABULARY = 2000


def _sources(folder: str = "") -> Iterator[tuple[str, str]]:
    """Path below the library and text of every module in a folder, in order of the paths."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = (library / folder).glob("**/*.py")
    for name, path in sorted((path.relative_to(library).as_posix(), path) for path in paths):
        parts = name.split("/")[:-1]
        if not any(part in _SKIPPED or part.startswith("config-") for part in parts):
            yield name, path.read_text(encoding="utf-8", errors="ignore")


def _by_share(shares: Sequence[float], position: float) -> int:
    """Which part a position from 0 to 1 falls into."""
    return int(np.searchsorted(np.cumsum(shares)[:-1], position, side="right"))


def _calls() -> list[tuple[str, list[str]]]:
    """The module and the distinct names called, in order, of each function."""
    found = []
    for name, text in _sources():
        for body in _FUNCTION.split(text)[1:]:
            names = dict.fromkeys(_CALL.findall(body))
            found.append((name, [call for call in names if call not in _KEYWORDS]))
    return found


def call_histories(dtype: type[np.floating]) -> Dataset:
    """Which call a function makes besides its others: x (n, HISTORY) ids, t (n,) one id.

    A row for each call of each function with at least three known calls: x holds up to
    HISTORY of the others, padded with PADDING. Modules, not rows, are dealt to the three
    parts, so the test asks about modules that training never saw.
    """
    functions = _calls()
    counts = Counter(call for _, calls in functions for call in calls)
    known = sorted(call for call, count in counts.items() if count >= RAREST_CALL)
    number = {call: place for place, call in enumerate(known, PADDING + 1)}
    modules = sorted({module for module, _ in functions})
    rng = np.random.default_rng(SPLIT_SEED)
    place = dict(zip(modules, rng.permutation(len(modules)) / len(modules), strict=True))
    rows: tuple[list, ...] = ([], [], [])
    for module, calls in functions:
        ids = [number[call] for call in calls if call in number]
        if len(ids) >= 3:
            rows[_by_share(SHARES, place[module])].extend(_leave_one_out(ids, rng))
    train, validation, test = (
        Part(np.array([x for x, _ in part]), np.array([t for _, t in part])) for part in rows
    )
    return Dataset(
        "python-calls",
        "calls that functions of Python's standard library make together, Python Software "
        "Foundation (PSF licence); shipped with CPython",
        "ranking",
        (train, validation, test),
        outputs=len(known) + 1,
        vocabulary=len(known) + 1,
        labels=("", *known),
        tokens=("", *known),
    )


def _leave_one_out(ids: list[int], rng: np.random.Generator) -> Iterator[tuple[Array, int]]:
    """Each id with the others, of which HISTORY are drawn where there are more."""
    for place, target in enumerate(ids):
        others = np.array(ids[:place] + ids[place + 1 :])
        if len(others) > HISTORY:
            others = rng.permutation(others)[:HISTORY]
        yield np.pad(others, (0, HISTORY - len(others)), constant_values=PADDING), target


def passages(dtype: type[np.floating], context: int = 64) -> Dataset:
    """Which part of the library a passage is from: x (n, context) word ids, t (n,) classes.

    Words are runs of letters in lower case, id 0 all that training knows too little of.
    Every module is cut into training, validation and test by position, so that parts share
    no text.
    """
    words: tuple[list, ...] = ([], [], [])
    classes: tuple[list, ...] = ([], [], [])
    for subject, folders in enumerate(SUBJECTS.values()):
        texts = [text for folder in folders for _, text in _sources(folder)]
        for text in texts:
            found = _WORD.findall(text.lower())
            count = len(found) // context
            for index in range(count):
                part = _by_share(SHARES, (index + 0.5) / count)
                words[part].append(found[index * context : (index + 1) * context])
                classes[part].append(subject)
    counts = Counter(word for passage in words[0] for word in passage)
    kept = [word for word, _ in counts.most_common(VOCABULARY - 1)]
    number = {word: place for place, word in enumerate(kept, 1)}
    train, validation, test = (
        Part(np.array([[number.get(word, 0) for word in row] for row in x]), np.array(t))
        for x, t in zip(words, classes, strict=True)
    )
    return Dataset(
        "python-passages",
        "source of Python's standard library, Python Software Foundation (PSF licence); "
        "shipped with CPython",
        "classes",
        (train, validation, test),
        outputs=len(SUBJECTS),
        vocabulary=len(kept) + 1,
        labels=tuple(SUBJECTS),
        tokens=("…", *kept),
    )
