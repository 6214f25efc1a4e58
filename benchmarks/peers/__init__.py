"""One adapter for each package that `benchmarks/compare.py` compares, and what they share."""
