"""Docstrings open with a verb in the imperative, and the entries of arguments with what they are."""

import re
from pathlib import Path

import hoptim
from tests.docstrings import VERBS, findings, table

PACKAGE = Path(hoptim.__file__).parent
FOUND = findings(PACKAGE)


def test_every_docstring_follows_the_rule():
    """No function's docstring and no entry in the package opens in another way."""
    assert [f"{each.path}:{each.line}: {each.text}" for each in FOUND if each.wrong] == []


SAMPLE = '''"""Rooms of a house."""

class Room:
    """What a house is made of.

    Attributes:
        size: Of the floor.
        name: Word over the door; what
            is said of it.
    """

    def area(self):
        """Floor in square metres.

        Returns:
            How large it is.

        Raises:
            ValueError: Whether it fell.
            KeyError: No floor.
        """

    def door(self):
        """Open the door.

        Args:
            key, lock: Which they are.
            wide: True to open it wide; the rest is
                Of no matter.
        """

    def name(self):
        """Name of the room."""

    def silent(self):
        return None
'''


def test_offenders_are_found_where_they_are(tmp_path):
    """A noun, a verb made a noun and bare entries are found by line; classes and the silent are exempt."""
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "room.py").write_text(SAMPLE)
    found = findings(tmp_path)
    lines = SAMPLE.splitlines()
    assert sorted((f.line, f.text) for f in found if f.wrong) == [
        (7, "Of the floor."),
        (13, "Floor in square metres."),
        (16, "How large it is."),
        (19, "Whether it fell."),
        (27, "Which they are."),
        (33, "Name of the room."),
    ]
    assert all(each.text.rstrip('"') in lines[each.line - 1] for each in found)
    assert re.findall(r"^(\S+) +(\d+) +(\d+) +(\d+) +(\d+)$", table(found), re.MULTILINE) == [
        ("house", "3", "2", "7", "4"),
        ("all", "3", "2", "7", "4"),
    ]


def test_the_list_of_verbs_is_in_order():
    """One verb a line, sorted, each once, so that two additions seldom meet."""
    lines = (Path(__file__).parent / "verbs.txt").read_text().splitlines()
    assert lines == sorted(VERBS)
