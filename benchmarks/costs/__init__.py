"""What the scripts that measure costs share: loops, processes that run them, and the line above results."""
