"""Hyperparameters: dimensions with scales and bounds, and the space of several of them."""
