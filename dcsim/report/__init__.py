"""What people read: the terminal summary and the PDF, from stored results only."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcsim.report.document import pdf_bytes, write_pdf
    from dcsim.report.terminal import terminal_summary

__all__ = ["pdf_bytes", "terminal_summary", "write_pdf"]

_HOMES = {
    "pdf_bytes": "dcsim.report.document",
    "terminal_summary": "dcsim.report.terminal",
    "write_pdf": "dcsim.report.document",
}


def __getattr__(name: str) -> Any:
    # The terminal summary must not wait for matplotlib and typst to load.
    if name not in _HOMES:
        raise AttributeError(f"module 'dcsim.report' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
