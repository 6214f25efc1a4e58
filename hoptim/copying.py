"""Copying: the same study in another place, records and checkpoints as they are."""

from __future__ import annotations

import os
from typing import Unpack

from hoptim.errors import CheckpointError
from hoptim.options import OptionKeywords, Options
from hoptim.session.session import Session
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.places import backend_at
from hoptim.store.published import Published
from hoptim.study import Study, load


def copy(
    path: str | os.PathLike[str],
    new_path: str | os.PathLike[str],
    *,
    checkpoints: str | None = None,
    **options: Unpack[OptionKeywords],
) -> Study:
    """Copy a study, finished or running, to a directory or a database; the first one is not changed.

    The records are copied to the byte, up to the last one at some moment, and each checkpoint that is there
    then; a copy of a finished study is the study. One that is in training has the same trials in training:
    they are taken back in the copy after their workers' lease, and both go on, apart from each other.

    Args:
        path: Directory or URL of the study.
        new_path: Directory or URL for the copy; nothing may be there yet.
        checkpoints: URL of object storage for the checkpoints of the copy, as for `Study`, and not the one
            of the first study. Default: None, for the directory.
        **options: Options of this process for both, as for `Study`; see `Options`.

    Returns:
        The copy, opened.

    Raises:
        ArgumentError: No study in `path`, or something at `new_path`.
        CheckpointError: A checkpoint is not there, or is not as it was published.
        StoreError: Something cannot be read or written; then nothing is at `new_path`.

    >>> import hoptim, tempfile
    >>> folder, space = tempfile.mkdtemp(), {"x": hoptim.Float(0.0, 1.0)}
    >>> for trial in hoptim.Study(f"{folder}/a", space=space, size=4, steps=5, mode="min"):
    ...     trial.tell(trial.params["x"])
    >>> new = hoptim.copy(f"{folder}/a", f"{folder}/b")
    >>> new.done, new.best == hoptim.load(f"{folder}/a").best
    (True, True)
    """
    chosen = Options.of(options)
    source = backend_at(path, chosen.single_host)
    target = backend_at(new_path, chosen.single_host, checkpoints)
    old = Session.at(source, chosen)
    with target.draft() as draft, old.store.pin(lambda state: [*state.saved]) as pin:
        state = old.store.state
        if state.saved:
            there = draft.checkpoints(old.uuid)
            for saved in state.saved.values():
                _take(there, saved, old.store.checkpoints)
            pin.require()
        draft.transcribe(source, state.n)
    return load(new_path, **options)


def _take(target: Checkpoints, saved: Published, source: Checkpoints) -> None:
    """Copy a checkpoint under its own name.

    Args:
        target: Files of the copy.
        saved: Checkpoint as it is recorded.
        source: Files that it is in.
    """
    found = target.adopt(source.fetch(saved, target), Draft.of(saved.name))
    if (saved.size or found.size, saved.files or found.files) != (found.size, found.files):
        raise CheckpointError(
            f"The checkpoint {saved.name!r} has {found.size} bytes in {found.files} files, published were "
            f"{saved.size} in {saved.files}. `hoptim check DIR` lists all that is not as it was."
        )
