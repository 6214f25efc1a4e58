"""The public names, which `hoptim` loads when the first of them is used."""

from hoptim.analysis.candidate import Candidate
from hoptim.analysis.family import Exploit, Family
from hoptim.analysis.lineage import Lineage
from hoptim.analysis.schedule import Schedule
from hoptim.copying import copy
from hoptim.errors import (
    AlreadyTold,
    ArgumentError,
    CheckpointError,
    ClaimLost,
    DeadlineNear,
    HoldLost,
    HoptimError,
    LockTimeout,
    MissingExtra,
    NewerFormat,
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
from hoptim.forking import fork
from hoptim.launch.run import run
from hoptim.optimizers.asha import ASHA
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.fixed import Fixed
from hoptim.optimizers.initiator import Initiator
from hoptim.optimizers.mixed_horizon import MixedHorizon
from hoptim.optimizers.multifrequency import MultiFrequency
from hoptim.optimizers.patient import Patient
from hoptim.optimizers.pb2 import PB2
from hoptim.optimizers.population import Population
from hoptim.optimizers.random_search import RandomSearch
from hoptim.optimizers.romul import ROMUL
from hoptim.optimizers.summary import Summary
from hoptim.optimizers.truncation import TruncationSelection
from hoptim.options import Options
from hoptim.reevaluation import Reevaluation, reevaluate
from hoptim.session.results import Results
from hoptim.space.dimension import Dimension
from hoptim.space.listed import Choice, Ordinal
from hoptim.space.numeric import Float, Int
from hoptim.space.space import Space
from hoptim.start import Start
from hoptim.stopping import Stop, Stopped
from hoptim.study import Study, load
from hoptim.trial import FinishedTrial, Trial

__all__ = [
    "ASHA",
    "PB2",
    "ROMUL",
    "AlreadyTold",
    "ArgumentError",
    "Candidate",
    "CheckpointError",
    "Choice",
    "ClaimLost",
    "DeadlineNear",
    "Dimension",
    "Exploit",
    "Family",
    "FinishedTrial",
    "Fixed",
    "Float",
    "HoldLost",
    "HoptimError",
    "Initiator",
    "Int",
    "Lineage",
    "LockTimeout",
    "MissingExtra",
    "MixedHorizon",
    "MultiFrequency",
    "NewerFormat",
    "NoCheckpoint",
    "NoResult",
    "NotApplied",
    "NotTold",
    "NothingDue",
    "Optimizer",
    "OptimizerError",
    "Options",
    "Ordinal",
    "Patient",
    "Population",
    "Proposal",
    "RandomSearch",
    "Reevaluation",
    "Results",
    "Schedule",
    "Space",
    "SpaceError",
    "Start",
    "Stop",
    "Stopped",
    "StoreError",
    "Study",
    "StudyDamaged",
    "StudyFailed",
    "StudyMismatch",
    "Summary",
    "Trial",
    "TrialError",
    "TruncationSelection",
    "View",
    "WorkersFailed",
    "copy",
    "fork",
    "load",
    "reevaluate",
    "run",
]
