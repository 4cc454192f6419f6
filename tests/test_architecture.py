"""The repository defends its own shape."""

import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("gateway/**/*.py"), *ROOT.glob("robots/**/*.py")])
TRACKED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.split("\0")


def test_import_contracts_hold() -> None:
    """Every import contract of pyproject.toml is kept."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_every_module_can_be_imported_first() -> None:
    """No module needs, by whatever way, that another one has been imported before it.

    Importing `a.b` runs the package `a` as well, which no import contract looks at.
    """
    graph = grimp.build_graph("gateway", exclude_type_checking_imports=True, cache_dir=None)
    needs = {}
    for module in graph.modules:
        found = graph.find_modules_directly_imported_by(module)
        packages = {package for one in found for package in packages_of(one)}
        needs[module] = (found | packages) - {module, *packages_of(module)}

    TopologicalSorter(needs).prepare()  # a CycleError names the modules


def packages_of(module: str) -> Iterator[str]:
    """Yield the packages around a module."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_does_one_thing_and_says_so(path: Path) -> None:
    """A source file opens with a docstring and stays under 400 lines."""
    text = path.read_text(encoding="utf-8")

    assert not text or text.startswith(('"""', 'r"""', "# ")), (
        "the first line says what the file is for"
    )
    assert text.count("\n") <= 400, "past 400 lines a file is usually two"


def test_no_drawer_for_everything() -> None:
    """There is no module called utils, helpers, tools or common."""
    names = {path.stem for path in SOURCES}

    assert not names & {"utils", "util", "helpers", "tools", "common", "misc"}


def test_lock_and_build_files_name_no_address() -> None:
    """Pinned versions stand without an address of where they came from."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert pins
    assert [
        line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)
    ] == []


def test_only_the_composition_root_reads_the_clock() -> None:
    """The present is asked in one place; everything else is given it."""
    asks = re.compile(r"datetime\.now\(|datetime\.utcnow\(|time\.time\(|date\.today\(")
    offenders = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.name not in {"clock.py", "bootstrap.py"}
        and "sandbox" not in path.parts
        and asks.search(path.read_text(encoding="utf-8"))
    ]

    assert offenders == []


def test_nothing_tracked_is_generated_or_private() -> None:
    """No compiled catalogue, database, key or cache is committed."""
    private = re.compile(r"\.(mo|db|sqlite3?|pyc|key|coverage)$|(^|/)(\.venv|__pycache__|var)/")

    assert [name for name in TRACKED if private.search(name)] == []
