"""hoptim: population based training that leaves the training loop to you."""

from hoptim.dimension import Choice, Dimension, Float, Int, Ordinal
from hoptim.errors import (
    AlreadyTold,
    ArgumentError,
    CheckpointError,
    ClaimLost,
    HoptimError,
    LockTimeout,
    MissingExtra,
    NoCheckpoint,
    NoResult,
    NotApplied,
    NothingDue,
    NotTold,
    OptimizerError,
    SpaceError,
    StoreError,
    StudyDamaged,
    StudyFailed,
    StudyMismatch,
    TrialError,
)
from hoptim.initiator import Initiator
from hoptim.optimizer import Optimizer, Proposal, View
from hoptim.population import Population
from hoptim.romul import ROMUL
from hoptim.space import Space
from hoptim.study import Study, load
from hoptim.trial import FinishedTrial, Trial
from hoptim.truncation import TruncationSelection

__version__ = "0.1.0"

__all__ = [
    "ROMUL",
    "AlreadyTold",
    "ArgumentError",
    "CheckpointError",
    "Choice",
    "ClaimLost",
    "Dimension",
    "FinishedTrial",
    "Float",
    "HoptimError",
    "Initiator",
    "Int",
    "LockTimeout",
    "MissingExtra",
    "NoCheckpoint",
    "NoResult",
    "NotApplied",
    "NotTold",
    "NothingDue",
    "Optimizer",
    "OptimizerError",
    "Ordinal",
    "Population",
    "Proposal",
    "Space",
    "SpaceError",
    "StoreError",
    "Study",
    "StudyDamaged",
    "StudyFailed",
    "StudyMismatch",
    "Trial",
    "TrialError",
    "TruncationSelection",
    "View",
    "load",
]
