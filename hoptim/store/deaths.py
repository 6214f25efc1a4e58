"""Deaths of workers: the trials that they held are taken back."""

from __future__ import annotations

import logging

from hoptim.options import Options
from hoptim.store.liveness import display_name
from hoptim.store.transactions import Transaction

log = logging.getLogger("hoptim")


def take_back(
    transaction: Transaction, worker: str, options: Options, silence: float = 0.0, died: bool = False
) -> None:
    """Reclaim the trials of a dead worker; each is handed out again, or marked failed after too many times.

    Args:
        transaction: Takes the records.
        worker: Name of the worker.
        options: Options of this process, which say how many times are too many.
        silence: Seconds without a sign of life; 0 if its death is proven. Default: 0.
        died: True if the trial may be the cause, since whoever started the worker's process saw it die
            and had not stopped it; a study of format 1 cannot record that. Default: False.
    """
    died = died and transaction.state.format > 1
    how = f"gave no sign of life for {silence:.0f} s" if silence else "died"
    for trial in transaction.state.open.held_by(worker):
        interrupted = trial.losses + 1 >= options.max_interruptions
        final = interrupted or (died and trial.deaths + 1 >= options.max_deaths)
        log.warning("%s %s in trial %d.", display_name(worker), how, trial.number)
        more = {"died": True} if died else {}
        transaction.add("reclaim", trial=trial.number, token=trial.token, final=final, **more)
        transaction.lost.append((trial.number, trial.token))  # should it have come that far
    transaction.dead.append(worker)
