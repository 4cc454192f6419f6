"""What the gateway loads is what it asks to have installed: a bare install must start."""

import json
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
LOADS = (
    "import json, sys, gateway.cli;"
    "import gateway.adapters.caldav.adapter, gateway.adapters.exchange.adapter;"
    "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
)
NOT_NEEDED = {"brotli", "pytz", "rich", "setuptools"}
"""What libraries use where it happens to be there."""


def closure() -> set[str]:
    """Return the distributions that an install without extras brings along."""
    found: set[tuple[str, str]] = set()
    todo = [Requirement(text) for text in PROJECT["dependencies"]]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        for extra in {"", *wanted.extras}:
            if (name, extra) in found:
                continue
            found.add((name, extra))
            for text in metadata.requires(name) or ():
                inner = Requirement(text)
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    todo.append(inner)
    return {name for name, _ in found}


def test_nothing_is_loaded_that_a_bare_install_lacks() -> None:
    """Every package that the gateway loads comes with its own dependencies, not with the tests'."""
    done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, check=True)
    providers = metadata.packages_distributions()
    loaded = {
        canonicalize_name(name)
        for module in json.loads(done.stdout)
        for name in providers.get(module, [])[:1]
    }

    assert loaded - closure() - NOT_NEEDED - {"calgate"} == set()
