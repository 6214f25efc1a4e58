"""Scenes that two ranks play together, for tests: DIR RANK. Each rank writes what it saw as JSON."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import hoptim
import hoptim.torch
from hoptim.torch import ranks
from tests.builders import saving, study


class Scenes:
    """Each method is one scene on one rank; what it returns is compared by the test."""

    def __init__(self, folder: Path, rank: int) -> None:
        self._folder, self.rank = folder / f"seen by {rank}", rank
        self._folder.symlink_to(folder, target_is_directory=True)  # each rank has a path of its own

    def _study(self, name: str, **changes: Any) -> hoptim.Study:
        return study(self._folder / name, **{"size": 1, "steps": 2, **changes})

    def an_exception_on_one_rank(self) -> list[str]:
        """Rank 1 raises in its first attempt; both ranks go on after it."""
        seen: list[str] = []
        for trial in hoptim.torch.trials(self._study("raises")):
            seen.append(f"{trial.number}.{trial.attempt}")
            try:
                with trial:
                    if self.rank == 1 and len(seen) == 1:
                        raise ValueError("bad shard")
                    trial.tell(1.0)
            except Exception as error:
                seen.append(_said(error))
        return seen

    def a_failure_told_by_one_rank(self) -> list[str]:
        """Rank 1 fails the first trial for good, rank 0 tells it; then both fail the second."""
        seen: list[str] = []
        for trial in hoptim.torch.trials(self._study("fails", max_attempts=1, size=2, steps=1)):
            if self.rank == 1 or seen:
                trial.fail(f"no good on {self.rank}")
                seen.append("failed")
            else:
                seen.append(_said(_raised(trial.tell, 1.0)))
            if trial.number == 1:
                break
        return [*seen, _said(_raised(next, hoptim.torch.trials(self._study("fails", size=2, steps=1))))]

    def a_lost_claim(self) -> list[str]:
        """Claims are taken back while both train, once before a tell and once before a failure."""
        seen: list[str] = []
        for trial in hoptim.torch.trials(made := self._study("lost")):
            with suppress(ValueError), trial:
                if self.rank == 0 and len(seen) in (0, 2):
                    hoptim.load(str(made.path))._session.store.release(trial, unused=False)
                dist.barrier()
                seen.append(f"{trial.number} by claim {trial.token}")
                if len(seen) == 3:
                    raise ValueError("too late")
                trial.tell(1.0)
                seen[-1] += " told"
        return seen

    def errors_that_keep_the_claim(self) -> list[str]:
        """A `save` that fails, a checkpoint that lacks, wrong hyperparameters: told again, all is well."""
        seen: list[str] = []
        for trial in hoptim.torch.trials(self._study("kept")):
            if trial.number == 0:
                seen.append(_said(_raised(trial.tell, 1.0, save=_full_disk)))
                seen.append(_said(_raised(trial.tell, 1.0, params={"x": -1.0})))
            else:
                assert trial.continues
                assert str(trial.checkpoint).startswith(f"{self._folder}/kept/")
                seen.append(_said(_raised(trial.tell, 1.0)))
            trial.tell(1.0 - self.rank, save=saving(f"rank {self.rank}"))
            seen.append(_said(_raised(trial.tell, 1.0)))
        best = self._study("kept").best
        return [*seen, f"{best.value} {Path(str(best.checkpoint)).read_text()}"]

    def fields_that_one_rank_reads(self) -> list[str]:
        """A strict study refuses what no rank has read, until rank 1 alone reads it."""
        seen: list[str] = []
        for trial in hoptim.torch.trials(self._study("reads", size=2, strict=True)):
            error = _raised(trial.tell, 1.0, save=saving("x"))
            seen.append(f"{trial.continues} {type(error).__name__}")
            if error is not None:
                if self.rank == 1:
                    assert trial.params
                    assert trial.parent is None or trial.checkpoint
                trial.tell(1.0, save=saving("x"))
        return seen

    def a_loop_that_is_left(self) -> list[str]:
        """Left by `break`, the trial is handed back; the next loop gets it again."""
        made, seen = self._study("left"), list[str]()
        for trial in hoptim.torch.trials(made):
            seen.append(f"{trial.number} by claim {trial.token}")
            break
        dist.barrier()
        for trial in hoptim.torch.trials(made):
            seen.append(f"{trial.number} by claim {trial.token}")
            trial.tell(1.0)
        return seen

    def a_wait(self) -> list[str]:
        """Nothing is due at first; the others are told so and wait on."""
        made = self._study("waits", steps=1)
        other = hoptim.load(str(made.path))
        held = other.ask() if self.rank == 0 else None
        ranks._LOOK_FOR, asked, ask = 0.01, [], made.ask

        def look(timeout: float, deadline: None) -> hoptim.Trial | None:
            asked.append(timeout)
            if held is not None and len(asked) == 4:
                held.release()
            return ask(timeout)

        made.ask = look  # type: ignore[method-assign, assignment]
        for trial in hoptim.torch.trials(made):
            trial.tell(1.0)
        return [f"{len(asked) > 3}", str(made.best.number)]

    def studies_that_differ(self) -> list[str]:
        """Each rank opens another study, or one in memory."""
        other = self._study(f"of {self.rank}")
        errors = [_raised(next, hoptim.torch.trials(each)) for each in (other, study(None))]
        return [type(error).__name__ for error in errors if "must all open the same study" in str(error)]

    def groups_of_one(self) -> list[str]:
        """In a group of one rank the loop is the study's own; a group of others is refused."""
        groups = [dist.new_group([rank]) for rank in range(2)]
        mine = self._study(f"alone {self.rank}")
        kinds = []
        for trial in hoptim.torch.trials(mine, groups[self.rank]):
            kinds.append(type(trial).__name__)
            trial.tell(1.0)
        return [*kinds, _said(_raised(next, hoptim.torch.trials(mine, groups[1 - self.rank])))]

    def a_copy_sent_away(self) -> list[str]:
        """A pickled copy is told on its own, wherever it is."""
        made = self._study("copy", steps=1)
        loop = hoptim.torch.trials(made)
        copy = pickle.loads(pickle.dumps(next(loop)))
        if self.rank == 1:
            copy.tell(2.0)
        dist.barrier()
        del loop
        return [str(made.best.value)]

    def told_by_rank_0_alone(self) -> list[str]:
        """The usual mistake: the other rank says so and ends, which ends what rank 0 waits for."""
        loop = hoptim.torch.trials(self._study("alone"))
        trial = next(loop)
        if self.rank == 1:
            return [_said(_raised(next, loop))]
        return [type(_raised(trial.tell, 1.0)).__name__]


def _full_disk(path: str) -> None:
    Path(path).write_text("half")
    raise OSError(28, "No space left on device")


def _raised(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Exception | None:
    try:
        call(*args, **kwargs)
    except Exception as error:
        return error
    return None


def _said(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}"


def main() -> None:
    """Play all scenes in order; the last one ends the job."""
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    scenes = Scenes(folder, rank)
    seen = {name: getattr(scenes, name)() for name in vars(Scenes) if not name.startswith("_")}
    (folder / f"{rank}.json").write_text(json.dumps(seen))
    os._exit(0)  # torch may abort at a normal exit when the last scene left it in the middle of a call


if __name__ == "__main__":
    main()
