"""Testbeds with known results, run through the public API: `python -m hoptim.benchmarks`."""
