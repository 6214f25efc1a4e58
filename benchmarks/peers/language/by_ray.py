"""Ray Tune's PBT and PB2 through `tune.Tuner`, with one actor for each core."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray import tune
from ray.tune.search import BasicVariantGenerator

from peers.language.member import Member
from peers.language.task import SPACE, Task, serve
from peers.ray_space import SPACES

_FILE = "member.pt"


def play(task: Task) -> Path:
    """Run a scheduler with its defaults, but synchronous, deciding after each interval, within bounds.

    Actors go from trial to trial: with Ray's default each interval of each member would begin with a new
    process.
    """
    random.seed(task.seed)
    np.random.seed(task.seed)  # noqa: NPY002 - Ray draws from the global generators
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=task.cores, include_dashboard=False, log_to_driver=False)
    space = SPACES[task.arguments["scheduler"]](SPACE)
    scheduler = space.scheduler(
        time_attr="training_iteration", metric="loss", mode="min", perturbation_interval=1, synch=True
    )
    starts = [space.encode(start) for start in task.starts]
    tuner = tune.Tuner(
        tune.with_resources(Trial, {"cpu": 1}),
        param_space=space.domains,
        tune_config=tune.TuneConfig(
            scheduler=scheduler, search_alg=BasicVariantGenerator(points_to_evaluate=starts),
            num_samples=task.size, reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="run", storage_path=str(task.kept), stop={"training_iteration": task.steps}, verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1),
        ),
    )  # fmt: skip
    best = tuner.fit().get_best_result("loss", "min", scope="last")
    ray.shutdown()
    return Path(best.checkpoint.path) / _FILE


class Trial(tune.Trainable):  # type: ignore[misc]
    """A member as Ray takes it: a step is an interval."""

    def setup(self, config: dict[str, Any]) -> None:
        """Make the model, once for each actor."""
        task = Task.current()
        self._member, self._space = Member(task), SPACES[task.arguments["scheduler"]](SPACE)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another trial, whose checkpoint, if there is one, is loaded next."""
        self._member.begin(self._number)
        return True

    def step(self) -> dict[str, float]:
        """Train for an interval."""
        return {"loss": self._member.train(self._space.decode(self.config), self._number)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save the member."""
        self._member.save(Path(checkpoint_dir) / _FILE)

    def load_checkpoint(self, checkpoint: str) -> None:
        """Load the member."""
        self._member.load(Path(checkpoint) / _FILE)

    @property
    def _number(self) -> int:
        return int(self.trial_id.rpartition("_")[2])  # an exploit copies the rest of the configuration


if __name__ == "__main__":
    serve(play, "ray", "scikit-learn")
