"""Hyperparameters: dimensions with their scales and bounds, and the space that they make up."""
