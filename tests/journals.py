"""For tests: journals of any kind, read and appended to."""

from __future__ import annotations


def read(journal):
    """What a read found: whether all older records are void, and the new ones."""
    void, found = False, []

    def take(all_void, records):
        nonlocal void, found
        void, found = void or all_void, ([] if all_void else found) + records

    journal.read(take)
    return void, found


def ops(journal):
    """The ops of what a read finds."""
    return [record["op"] for record in read(journal)[1]]


def append(journal, *ops):
    """One append of records with the given ops."""
    with journal.hold(None):
        read(journal)
        journal.append([{"op": op} for op in ops])
