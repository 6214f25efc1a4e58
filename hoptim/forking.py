"""Forking: a study that goes on from a generation of another one, with other settings."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any, Unpack

from hoptim._arguments import MOST_MEMBERS, whole_of
from hoptim._paths import is_database, study_folder
from hoptim.copying import copy
from hoptim.optimizers.base import Optimizer
from hoptim.options import OptionKeywords, Options
from hoptim.session.generation import bring_over, generation_step
from hoptim.session.objective import Objective, Values
from hoptim.session.session import Session
from hoptim.session.study_config import StudyArguments
from hoptim.space.space import Space
from hoptim.store.places import backend_at
from hoptim.store.state import State
from hoptim.store.study_draft import StudyDraft
from hoptim.store.trial_record import TrialRecord
from hoptim.study import Study, load


def fork(
    path: str | os.PathLike[str],
    new_path: str | os.PathLike[str],
    *,
    at_step: int | None = None,
    space: Mapping[str, Any] | Space | None = None,
    optimizer: Optimizer | None = None,
    size: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    mode: str | None = None,
    values: Values | None = None,
    checkpoints: str | None = None,
    **options: Unpack[OptionKeywords],
) -> Study:
    """Begin a new study with a generation of another one; what is not given stays as it was.

    Step 0 of the new study is that generation, as it was told: `FinishedTrial.origin` is its number
    in the old one. Checkpoints are shared by hard links, and copied only to another file system. The
    old study's journal comes along as `study.origin`, so that lineages and schedules reach back. The
    old study is not changed, and others may go on with it.

    Args:
        path: Directory or URL of the old study; others may be training it.
        new_path: Directory of the new study, not there yet or empty; or its URL in a database.
        at_step: Step, counted from 0, after which the generation is taken: each member's last trial up
            to it. Checkpoints of earlier ones are there only if they were kept. Default: the slowest
            member's last.
        space: Hyperparameters. Those that the old study has keep their values, moved to the bounds where
            outside; others begin at `init`, else with a draw. Default: the old ones.
        optimizer: Search algorithm from here on. Default: the old one.
        size: Number of members. Fewer are the best ones; more begin as copies, the best first.
            Default: the old number.
        steps: Trials of each member, the one it begins with included. Default: as far as the old study.
        seed: Seed of the new study. Default: the old one's plus 1, so that nothing is drawn twice.
        mode: "min" or "max". Another one than before needs `values`. Default: the old one.
        values: Values of that generation under another objective. "drop" for none: each member goes on as
            after `trial.advance`, and is compared once its next trial is told. Or a function that is
            called with each of its trials that did not fail or stand for a `Start`, a `FinishedTrial` with
            its checkpoint, and returns the value; the study is not locked meanwhile, and NaN marks the
            trial as failed.
            Default: None, for the same objective and the values as told.
        checkpoints: URL of object storage for the checkpoints of the new study, as for `Study`. Default:
            None, for its directory.
        **options: Options of this process for both studies, as for `Study`; see `Options`.

    Returns:
        The new study, opened.

    Raises:
        ArgumentError: No study in `path`, something in `new_path`, a generation that is not there or
            whose checkpoints were dropped, a setting that cannot work, another mode without `values`, or
            a function that returns no number.

    >>> import hoptim, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> space = {"x": hoptim.Float(0.0, 1.0)}
    >>> for trial in hoptim.Study(f"{folder}/a", space=space, size=4, steps=5, mode="min"):
    ...     trial.tell(trial.params["x"])
    >>> new = hoptim.fork(f"{folder}/a", f"{folder}/b", at_step=2, size=8, steps=10)
    >>> new.size, new.steps, len(new.trials), new.trials[0].age
    (8, 10, 8, 2)
    """
    if checkpoints is not None or is_database(new_path):
        with tempfile.TemporaryDirectory(prefix="hoptim-") as place:
            new = fork(
                path, f"{place}/fork", at_step=at_step, space=space, optimizer=optimizer, size=size,
                steps=steps, seed=seed, mode=mode, values=values, **options,
            )  # fmt: skip
            copy(f"{place}/fork", new_path, checkpoints=checkpoints, **options)
            return load(new_path, space=new.space, optimizer=new.optimizer, **options)
    chosen_options = Options.of(options)
    source, target = backend_at(path, chosen_options.single_host), study_folder(new_path)
    old = Session.at(source, chosen_options)
    objective = Objective.of(mode, values, old.config.mode)
    generation: list[TrialRecord] = []
    members = old.config.size if size is None else whole_of("size", size, 1, MOST_MEMBERS)

    def choose(state: State) -> list[int]:
        generation[:] = state.level(generation_step(old, state, at_step))
        return [record.number for record in generation if record.number in state.saved]

    choose(old.store.refresh())  # what is long past is read before the lock is held
    with old.store.pin(choose) as pin, StudyDraft(target, forks=True) as draft:
        state = old.store.state
        draft.transcribe(source, state.n)
        arguments = StudyArguments(
            space=old.config.space if space is None else space,
            optimizer=old.config.optimizer if optimizer is None else optimizer,
            size=members,
            mode=objective.mode,
            seed=old.config.seed + 1 if seed is None else seed,
            start=None,
        )
        rest = max(state.steps - generation_step(old, state, at_step), 1)
        made = Session.create(draft.folder, arguments, rest if steps is None else steps, chosen_options)
        chosen = objective.choose(generation, members, old)
        brought = {
            record.number: old.store.checkpoints.fetch(state.saved[record.number], pin)
            for record in chosen
            if record.healthy and state.stateful
        }
        made.store.adopt_generation(bring_over(chosen, brought, old, made, objective.is_other))
        pin.require()
        draft.commit()
    return load(target, space=made.config.space, optimizer=made.config.optimizer, **options)
