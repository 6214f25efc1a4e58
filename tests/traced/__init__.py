"""Faults at exact system calls of real processes, by ptrace; `tests/faults.py` is the script."""
