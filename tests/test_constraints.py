"""The versions that the tests run with: committed, and within what the library allows."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.builders import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]


def required(extra: str) -> list[Requirement]:
    """What an extra needs besides hoptim, with what the extras that it names need."""
    found = []
    for needed in map(Requirement, PROJECT["optional-dependencies"][extra]):
        inner = (
            [each for name in sorted(needed.extras) for each in required(name)]
            if needed.name == "hoptim"
            else []
        )
        found += inner or [needed]
    return found


@pytest.mark.parametrize("needed", [*map(Requirement, PROJECT["dependencies"]), *required("test")], ids=str)
def test_what_the_tests_need_is_pinned_within_its_range(needed):
    """A version of each direct requirement is in constraints.txt, and pyproject.toml allows it."""
    [pin] = [p for p in PINNED if canonicalize_name(p.name) == canonicalize_name(needed.name)]
    [version] = pin.specifier
    assert version.operator == "=="
    assert needed.specifier.contains(version.version)


def test_the_readme_installs_the_pinned_versions():
    """The README's second command takes them, so that a new release turns no fresh clone red."""
    [command] = [line for line in (ROOT / "README.md").read_text().splitlines() if "-m pytest" in line]
    assert "pip install -q -e '.[test]' -c constraints.txt &&" in command
