"""Data sets that installed packages ship, and how they are split and scaled."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcsim.training.base import Array

#: The split belongs to a data set, not to a run: runs that differ in seed share their test rows.
SPLIT_SEED = 0

#: Shares of the rows for training, validation and test.
SHARES = (0.64, 0.16, 0.20)


@dataclass(frozen=True, slots=True)
class Part:
    """Inputs x (n, ...) and targets t (n, ...)."""

    x: Array
    t: Array

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set in three `parts` that share no row: training, validation, test.

    `task` is `binary` (t (n, 1) in {0, 1}), `rare` (the same, class 1 being rare),
    `classes` (t (n,) class numbers), `soft` (t (n, k) probabilities), `language` (x and t
    (n, places) token ids) or `ranking` (x (n, places) ids already chosen, t (n,) one more).
    `outputs` is how many values a network for it puts out, `vocabulary` 0 unless inputs are
    ids. `labels` name the classes, `features` the columns of a table, `tokens` the ids.
    `source` says where the data come from and whether they are generated.
    """

    name: str
    source: str
    task: str
    parts: tuple[Part, Part, Part]
    outputs: int
    vocabulary: int = 0
    labels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()

    @property
    def train(self) -> Part:
        """The part that gradients are taken on."""
        return self.parts[0]

    @property
    def validation(self) -> Part:
        """The part that decides when to stop."""
        return self.parts[1]

    @property
    def test(self) -> Part:
        """The part that the final figures are for; never looked at before."""
        return self.parts[2]

    @property
    def nbytes(self) -> int:
        """Bytes of all three parts."""
        return sum(part.x.nbytes + part.t.nbytes for part in self.parts)


def _parts(x: Array, t: Array, rows: Sequence[Array | slice]) -> tuple[Part, Part, Part]:
    """Training, validation and test part from the rows of each."""
    train, validation, test = (Part(x[picked], t[picked]) for picked in rows)
    return train, validation, test


def split_indices(groups: Array, shares: Sequence[float], rng: np.random.Generator) -> list[Array]:
    """Row numbers of each part, every value of `groups` (n,) in the given shares.

    Rows are shuffled within each group, so that each part sees the same mix of classes.
    Returns one sorted array for each share; together they hold each row once.
    """
    parts: list[list[Array]] = [[] for _ in shares]
    for group in np.unique(groups):
        rows = rng.permutation(np.flatnonzero(groups == group))
        ends = np.rint(np.cumsum(shares) * len(rows)).astype(int)
        for part, piece in zip(parts, np.split(rows, ends[:-1]), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def standardise(x: Array, rows: Array) -> Array:
    """x (n, d) minus the mean and over the deviation of its `rows`, column by column.

    Columns that are constant in `rows` are only shifted.
    """
    mean, deviation = x[rows].mean(axis=0), x[rows].std(axis=0)
    return (x - mean) / np.where(deviation > 0.0, deviation, 1.0)


def table_dataset(
    name: str,
    source: str,
    x: Array,
    classes: Array,
    *,
    dtype: type[np.floating],
    features: tuple[str, ...] = (),
) -> Dataset:
    """Split and standardise a table x (n, d) with class values (n,); two classes are binary.

    Columns are called by their numbers from 1 unless `features` names them.
    """
    values, numbers = np.unique(classes, return_inverse=True)
    rows = split_indices(numbers, SHARES, np.random.default_rng(SPLIT_SEED))
    scaled = standardise(x, rows[0]).astype(dtype)
    binary = len(values) == 2
    targets = numbers[:, None].astype(dtype) if binary else numbers.astype(np.int64)
    return Dataset(
        name,
        source,
        "binary" if binary else "classes",
        _parts(scaled, targets, rows),
        outputs=1 if binary else len(values),
        labels=tuple(str(value) for value in values),
        features=features or tuple(f"column {number}" for number in range(1, x.shape[1] + 1)),
    )


def _package_file(package: str, *path: str) -> Path:
    """A file inside an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]).joinpath(*path)


def breast_cancer(dtype: type[np.floating]) -> Dataset:
    """569 biopsies, 30 measurements of cell nuclei each; class 1 is malignant."""
    path = _package_file("sklearn", "datasets", "data", "breast_cancer.csv")
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return table_dataset(
        "breast-cancer",
        "Breast Cancer Wisconsin (Diagnostic), W. H. Wolberg et al. 1995, UCI, CC BY 4.0; "
        "shipped with scikit-learn",
        table[:, :-1],
        1.0 - table[:, -1],
        dtype=dtype,
        features=tuple(
            f"{kind} {name}" for kind in ("mean", "error of", "worst") for name in _CELLS
        ),
    )


#: The columns are mean, standard error and worst of what was measured of each nucleus.
_CELL_KINDS = ("mean", "error of", "worst")
_CELLS = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)

_DIGITS = (
    "Optical Recognition of Handwritten Digits, E. Alpaydin & C. Kaynak 1998, UCI, CC BY 4.0; "
    "shipped with scikit-learn"
)


def _digit_table() -> Array:
    """(1797, 65): 64 grey levels from 0 to 16, then the digit."""
    return np.loadtxt(_package_file("sklearn", "datasets", "data", "digits.csv.gz"), delimiter=",")


def digits(dtype: type[np.floating]) -> Dataset:
    """1,797 handwritten digits of 8 × 8 grey levels, ten classes, as rows of 64 numbers."""
    table = _digit_table()
    places = tuple(f"row {place // 8 + 1} column {place % 8 + 1}" for place in range(64))
    return table_dataset(
        "digits", _DIGITS, table[:, :-1], table[:, -1], dtype=dtype, features=places
    )


def digit_images(dtype: type[np.floating]) -> Dataset:
    """The same digits, in the same parts, as images (n, 8, 8, 1) from 0 (paper) to 1 (ink)."""
    table = _digit_table()
    images = (table[:, :-1] / 16.0).reshape(-1, 8, 8, 1).astype(dtype)
    classes = table[:, -1].astype(np.int64)
    rows = split_indices(classes, SHARES, np.random.default_rng(SPLIT_SEED))
    return Dataset(
        "digit-images",
        _DIGITS,
        "classes",
        _parts(images, classes, rows),
        outputs=10,
        labels=tuple(str(digit) for digit in range(10)),
    )


def ball(dtype: type[np.floating]) -> Dataset:
    """2,000 random points of a cube; class 1 lies inside a ball of half the cube's volume."""
    rng = np.random.default_rng(SPLIT_SEED)
    x = rng.uniform(-1.0, 1.0, (2000, 3))
    radius = (3.0 / np.pi) ** (1.0 / 3.0)  # 4/3 π r³ = 4, half of the volume 2³
    inside = (np.sum(x * x, axis=1) < radius * radius).astype(np.int64)
    rows = split_indices(inside, SHARES, np.random.default_rng(SPLIT_SEED))
    return Dataset(
        "ball",
        "generated: uniform points in a cube, labelled by whether they lie inside a ball",
        "classes",
        _parts(x.astype(dtype), inside, rows),
        outputs=2,
        labels=("outside", "inside"),
        features=("x", "y", "z"),
    )


def golden(dtype: type[np.floating]) -> Dataset:
    """The one sample of the golden test, input [1, 2, 3] and soft target [0.1, 0.9]."""
    part = Part(np.array([[1.0, 2.0, 3.0]], dtype), np.array([[0.1, 0.9]], dtype))
    source = "one sample, written down for a test by hand"
    return Dataset("golden", source, "soft", (part, part, part), outputs=2)


def manual_text() -> str:
    """The Python language reference as CPython ships it in `pydoc_data.topics`, in ASCII."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics))
    return text.encode("ascii", "ignore").decode()


def python_manual(dtype: type[np.floating], context: int = 64) -> Dataset:
    """Character windows of the Python manual: x (n, context) and t, x moved on by one.

    The text is cut into train, validation and test by position, so no window of one part
    overlaps another part.
    """
    text = manual_text()
    letters = sorted(set(text))
    number = np.zeros(128, np.int64)
    number[[ord(letter) for letter in letters]] = np.arange(len(letters))
    ids = number[np.frombuffer(text.encode(), np.uint8)]
    windows = (len(ids) - 1) // context
    x = ids[: windows * context].reshape(windows, context)
    t = ids[1 : windows * context + 1].reshape(windows, context)
    # The last character that a window predicts is the first of the next: leave one out.
    first, second = int(0.90 * windows), int(0.95 * windows)
    cuts = (slice(0, first), slice(first + 1, second), slice(second + 1, windows))
    return Dataset(
        "python-manual",
        "Python language reference, Python Software Foundation (PSF licence); shipped with "
        "CPython as pydoc_data.topics",
        "language",
        _parts(x, t, cuts),
        outputs=len(letters),
        vocabulary=len(letters),
        labels=tuple(letters),
        tokens=tuple(letters),
    )
