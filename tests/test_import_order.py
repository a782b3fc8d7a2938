"""Each package imports only from those above it in the design's table."""

import ast
from pathlib import Path

ORDER = [
    "units",
    "_version",
    "_jit",
    "records",
    "catalogue",
    "topology",
    "workload",
    "scenario",
    "workers",
    "protection",
    "training",
    "cost",
    "calibration",
    "scheduling",
    "simulation",
    "economics",
    "execution",
    "planner",
    "store",
    "report",
    "api",
    "cli",
]
ROOT = Path(__file__).parent.parent / "dcsim"


def _package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            parts = node.module.split(".")
            if parts[0] == "dcsim":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("dcsim.")}
    return found


def test_every_module_imports_only_from_above() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.parent != ROOT or path.stem == "api"
        for name in _imports(path)
        if ORDER.index(name) > ORDER.index(_package(path))
    ]
    assert not wrong


def test_the_order_names_every_package() -> None:
    packages = {p.name for p in ROOT.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert packages <= set(ORDER)
