"""Tests; `pytest` runs them, see CONTRIBUTING.md."""
