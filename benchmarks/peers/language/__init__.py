"""What `benchmarks/language_peers.py` needs: a member to train, an adapter for each package, the table."""
