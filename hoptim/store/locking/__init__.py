"""Mutual exclusion between threads, processes and machines that share a study's directory."""
