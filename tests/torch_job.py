"""One rank of a job for tests: DIR MEET RANK OUT [HOLD]. Trains two numbers, one of them on each rank.

MEET is a file by which the two ranks find each other. Each rank writes its number as a shard into
`trial.draft` and reads its own and the other's back. OUT is a folder for what each rank saw. While HOLD
exists, the ranks stay in their second trial, once both have written their shards.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import hoptim
import hoptim.torch

SPACE: dict[str, hoptim.Dimension] = {
    "lr": hoptim.Float(0.01, 0.5, log=True),
    "move": hoptim.Choice({"plain": torch.neg, "signed": lambda gradient: -gradient.sign()}),
}
MEMBERS, STEPS = 2, 4


def main() -> None:
    """Train until the study is done."""
    folder, meet, rank, out, *hold = sys.argv[1:]
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meet}", rank=int(rank), world_size=2)
    study = hoptim.Study(folder, space=SPACE, size=MEMBERS, steps=STEPS, mode="min")
    with open(f"{out}/rank{rank}.jsonl", "a") as seen:
        train(study, int(rank), seen, Path(*hold) if hold else Path(out, "nothing holds"))
    dist.destroy_process_group()


def train(study: hoptim.Study, rank: int, seen: Any, hold: Path) -> None:
    """The loop of any script, and a line on each trial for the test to compare."""
    at, memory = torch.zeros(1), None
    for count, trial in enumerate(hoptim.torch.trials(study), 1):
        if trial.continues:
            assert memory == trial.parent
        else:
            at = torch.tensor([3.0 - rank])
            if trial.checkpoint:
                shards = [json.loads(Path(trial.checkpoint, f"{r}.json").read_text()) for r in range(2)]
                assert [shard["trial"] for shard in shards] == [trial.parent] * 2
                at = torch.tensor([shards[rank]["at"]])
        at = at + trial.params["lr"] * trial.params["move"](2 * at)
        loss = at**2
        dist.all_reduce(loss)
        trial.draft.mkdir(exist_ok=True)
        (trial.draft / f"{rank}.json").write_text(json.dumps({"trial": trial.number, "at": at.item()}))
        _stay(trial, count, rank, hold)
        trial.tell(loss.item(), checkpoint=trial.draft, metrics={"rank": rank})
        memory = trial.number
        words = (trial.number, trial.token, study.space.record(trial.params), trial.seed, trial.age)
        seen.write(json.dumps([*words, trial.parent, trial.continues]) + "\n")
        seen.flush()


def _stay(trial: hoptim.Trial, count: int, rank: int, hold: Path) -> None:
    if count == 2 and hold.exists():
        hold.with_suffix(f".{rank}").write_text(str(trial.number))
        while hold.exists():
            time.sleep(0.01)


if __name__ == "__main__":
    main()
