"""A disk that is really full, or read-only for a while: nothing is lost, and the study goes on."""

from __future__ import annotations

import re

import pytest

from tests.small_disk import in_namespace, may_mount

pytestmark = pytest.mark.skipif(not may_mount(), reason="mounting a small disk takes root and unshare")


def test_no_study_is_lost_on_a_full_disk():
    """Full at several moments and levels, the disk costs no acknowledged value once it is freed."""
    ran = in_namespace("levels", 5, 4, seconds=120)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    found = re.fullmatch(r"20 studies on a small disk, (\d+) met it full, 0 lost, .* s\n", ran.stdout)
    assert found is not None, ran.stdout
    assert int(found[1]) >= 10


def test_a_disk_that_was_read_only_for_a_while():
    """A tell on a read-only disk is refused and works again once the disk can be written."""
    ran = in_namespace("readonly", seconds=60)
    assert (ran.stdout, ran.stderr) == ("whole\n", "")


def test_a_checkpoint_that_fills_the_disk_is_told_all_the_same():
    """The reserve lets the tell and its drops be written; they make room, and the run goes on by itself."""
    ran = in_namespace("reserve", seconds=60)
    assert (ran.stdout, ran.stderr) == ("whole\n", "")
