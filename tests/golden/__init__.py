"""Studies that an earlier version wrote, kept to be opened."""
