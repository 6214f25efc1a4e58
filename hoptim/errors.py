"""Everything hoptim raises on purpose.

::

    HoptimError
    |-- ArgumentError (ValueError)        an argument that cannot work, said at once
    |   `-- SpaceError                    a dimension or a set of hyperparameters
    |-- OptimizerError                    an optimizer broke its contract, or none is at hand
    |-- StudyMismatch                     the directory holds another study than the one asked for
    |-- NewerFormat                       a later version of hoptim wrote the study
    |-- StudyDamaged                      bytes that nobody acknowledged, or files that vanished
    |-- StudyFailed                       every member's last trial failed for good
    |-- WorkersFailed                     workers that `run` launched failed too often, or were lost
    |-- StoreError (OSError)              the file system refused; retry once that is cured
    |   `-- HoldLost                      others appended meanwhile; nothing was recorded; retry
    |-- LockTimeout (TimeoutError)        the study's lock stayed taken; retry
    |-- NothingDue (TimeoutError)         no trial became due in time; retry
    |-- DeadlineNear                      no trial would end before the deadline; later processes go on
    |-- NoResult                          nothing has finished with a finite value yet
    |-- MissingExtra (ImportError)        an optional dependency is not installed; names the extra
    `-- TrialError
        |-- NotTold                       the loop went on while a trial was neither told nor failed
        |-- AlreadyTold                   the trial has ended
        |-- ClaimLost                     the trial was given to another worker
        |-- NotApplied                    values in force, or weights, are not the ones asked for
        `-- CheckpointError               nothing was saved where the checkpoint belongs
            `-- NoCheckpoint              a stateful study needs one with every finite value
"""

from hoptim._text import printable_lines


class HoptimError(Exception):
    """Base of all errors that hoptim raises on purpose.

    Names, paths and notes in a message may come from files that others wrote; `str(error)`, which
    tracebacks print, holds nothing that steers a terminal. `error.args` holds the message as it was.
    """

    def __str__(self) -> str:
        return printable_lines(super().__str__())


class ArgumentError(HoptimError, ValueError):
    """An argument cannot work; the message names it, what was expected and what was found."""


class SpaceError(ArgumentError):
    """A dimension, a space or a set of hyperparameters is not valid."""


class OptimizerError(HoptimError):
    """An optimizer broke its contract, or a study has none to ask."""


class StudyMismatch(HoptimError):
    """The directory holds another study; the message lists each difference."""


class StudyDamaged(HoptimError):
    """The study's files are not what hoptim wrote; the message names file, line and offset."""


class NewerFormat(HoptimError):
    """A later version of hoptim wrote the study, which this one cannot read; update hoptim."""


class StudyFailed(HoptimError):
    """Every member's last trial failed for good; the message carries the recorded reasons."""


class WorkersFailed(HoptimError):
    """Launched workers failed or were lost too often; the message or its cause has their own text."""


class StoreError(HoptimError, OSError):
    """The file system refused a call. Nothing acknowledged is lost: cure the cause and retry."""


class HoldLost(StoreError):
    """This process was cut off, or stalled, while it held the study's lock, and others went on.

    Nothing was recorded. Retry is safe.
    """


class LockTimeout(HoptimError, TimeoutError):
    """The study's lock stayed taken for `lock_timeout` seconds. Retry is safe."""


class NothingDue(HoptimError, TimeoutError):
    """`ask(timeout=...)` found no trial that is due. Retry is safe."""


class DeadlineNear(HoptimError):
    """`ask(deadline=...)` found no trial that would end in time. Ask in another job."""


class NoResult(HoptimError):
    """No trial has finished with a finite value yet."""


class MissingExtra(HoptimError, ImportError):
    """An optional dependency is missing; the message names the extra that brings it."""

    @classmethod
    def of(cls, what: str, extra: str) -> "MissingExtra":
        """Return the error with the command that installs an extra: from a clone, as hoptim is installed.

        Args:
            what: Statement of who needs which package, without a full stop.
            extra: Name of the extra, or several with commas.
        """
        return cls(f"{what}. In a clone of hoptim: pip install -e '.[{extra}]'")


class TrialError(HoptimError):
    """Base of what can go wrong with one trial."""


class NotTold(TrialError):
    """The loop went on to the next trial while one was neither told nor failed."""


class AlreadyTold(TrialError):
    """The trial has ended already; nothing was recorded."""


class ClaimLost(TrialError):
    """The trial was taken back and given to another worker; nothing was recorded."""


class NotApplied(TrialError):
    """The training is not what the trial asks for; the message names what differs, or was never read."""


class CheckpointError(TrialError):
    """The checkpoint is not where it belongs; the claim is kept, so the trial can be told again."""


class NoCheckpoint(CheckpointError):
    """A finite value was told without a checkpoint in a study whose trials have checkpoints."""


def reason(error: Exception) -> str:
    """Return as a sentence why something could not be read."""
    if isinstance(error, OSError) and not isinstance(error, HoptimError):
        return f"Could not read {error.filename!r}: {error.strerror}."
    return str(error)
