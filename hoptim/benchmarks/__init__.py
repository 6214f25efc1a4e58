"""Benchmarks with known results, run through hoptim's public names: `python -m hoptim.benchmarks`.

A benchmark is one class in one file, listed in `__main__`: `toys/` has those that train in seconds.
"""
