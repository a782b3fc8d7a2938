"""The PDF: sections put together, set by typst with our own fonts, byte for byte the same."""

from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, cast

from dcsim.records import Fault, InputError
from dcsim.report.sections import SECTIONS
from dcsim.report.typst_source import Block, string
from dcsim.report.view import Results, View, view_of
from dcsim.store import attach
from dcsim.store.layout import REPORT

#: A section makes its part of the document, or None where the results have nothing for it.
Section = Callable[[View], Block | None]


def write_pdf(directory: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of the stored results in `directory` and return where it is.

    Without `out` it becomes `report.pdf` in the directory and enters the manifest; the
    same results give the same bytes. Raises InputError when the directory holds no
    results or the file cannot be written.
    """
    content = pdf_bytes(directory)
    if out is None:
        return attach(directory, REPORT, content)
    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise InputError(Fault(f"cannot be written: {error.strerror}", str(out))) from None
    return path


def pdf_bytes(results: Results, sections: Sequence[Section] = SECTIONS) -> bytes:
    """The report of a result in memory or in a directory."""
    import typst

    view = view_of(results)
    blocks = [block for section in sections if (block := section(view)) is not None]
    package = files("dcsim.report")
    sources: dict[str, bytes] = {
        "main.typ": _main(view, blocks).encode(),
        "template.typ": package.joinpath("template.typ").read_bytes(),
    }
    for block in blocks:
        sources |= {f"{name}.svg": svg for name, svg in block.figures.items()}
    with as_file(package.joinpath("fonts")) as fonts:
        # System fonts would let the machine decide how the report looks.
        compiled: Any = typst.compile(
            cast(Any, sources), font_paths=[str(fonts)], ignore_system_fonts=True
        )
    return bytes(compiled)


def _main(view: View, blocks: Sequence[Block]) -> str:
    summary = view.summary
    parts = [
        "Capacity plan" if view.kind == "plan" else "Simulated run",
        f"scenario {view.scenario}",
        f"seed {summary['seed']}" if summary.get("seed") is not None else "",
        f"dcsim {summary['version']}" if summary.get("version") else "",
    ]
    kicker = "  ·  ".join(part for part in parts if part)
    running = f"{view.title}  ·  {kicker}" if view.title != view.scenario else kicker
    head = (
        '#import "template.typ": *\n'
        f"#show: report.with(title: {string(view.title)}, kicker: {string(kicker)}, "
        f"running: {string(_shortened(running))})\n\n"
    )
    return head + "\n".join(block.source for block in blocks)


def _shortened(text: str, most: int = 140) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
