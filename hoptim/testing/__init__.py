"""Tests of contracts, for pytest to collect from a subclass: of an optimizer, and of a backend's parts."""

from hoptim.optimizers._conformance import population
from hoptim.optimizers.population import Row
from hoptim.testing.journal import JournalConformance
from hoptim.testing.optimizer import OptimizerConformance
from hoptim.testing.signs import SignsConformance

__all__ = ["JournalConformance", "OptimizerConformance", "Row", "SignsConformance", "population"]
