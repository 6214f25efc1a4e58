"""hoptim: population based training that leaves the training loop to you."""

from hoptim.asha import ASHA
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
    WorkersFailed,
)
from hoptim.fixed import Fixed
from hoptim.fork import fork
from hoptim.initiator import Initiator
from hoptim.launch.run import run
from hoptim.lineage import Exploit, Family, Lineage
from hoptim.multifrequency import MultiFrequency
from hoptim.optimizer import Optimizer, Proposal, View
from hoptim.patient import Patient
from hoptim.population import Population
from hoptim.random_search import RandomSearch
from hoptim.romul import ROMUL
from hoptim.schedule import Schedule
from hoptim.space import Space
from hoptim.study import Study, load
from hoptim.trial import FinishedTrial, Trial
from hoptim.truncation import TruncationSelection

__version__ = "0.1.0"

__all__ = [
    "ASHA",
    "ROMUL",
    "AlreadyTold",
    "ArgumentError",
    "CheckpointError",
    "Choice",
    "ClaimLost",
    "Dimension",
    "Exploit",
    "Family",
    "FinishedTrial",
    "Fixed",
    "Float",
    "HoptimError",
    "Initiator",
    "Int",
    "Lineage",
    "LockTimeout",
    "MissingExtra",
    "MultiFrequency",
    "NoCheckpoint",
    "NoResult",
    "NotApplied",
    "NotTold",
    "NothingDue",
    "Optimizer",
    "OptimizerError",
    "Ordinal",
    "Patient",
    "Population",
    "Proposal",
    "RandomSearch",
    "Schedule",
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
    "WorkersFailed",
    "fork",
    "load",
    "run",
]
