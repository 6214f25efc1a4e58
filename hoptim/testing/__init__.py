"""Tests of contracts, for pytest to collect from a subclass: of your optimizer, of your journal."""

from hoptim.optimizers._conformance import population
from hoptim.optimizers.population import Row
from hoptim.testing.journal import JournalConformance
from hoptim.testing.optimizer import OptimizerConformance

__all__ = ["JournalConformance", "OptimizerConformance", "Row", "population"]
