"""Benchmarks small enough that their best results can be computed."""
