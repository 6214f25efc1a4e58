"""Studies of real training: small models on real data, a whole population in one graph (extra `torch`)."""
