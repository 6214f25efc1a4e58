"""The recipes in docs/recipes, run as they are written, where their packages are installed."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest

import hoptim
from tests.builders import ROOT, study
from tests.documents import Reader

RECIPES = ROOT / "docs" / "recipes"
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
    "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
}  # fmt: skip
TRAINERS = {  # what each needs, and the steps of a trial
    "lightning": (["lightning"], 4),
    "huggingface": (["transformers", "accelerate"], 4),
    "keras": (["keras", "torch"], 4),
    "sb3": (["stable_baselines3"], 256),
}
FOLLOWED = {  # from top to bottom, with what is quoted compared; and what they need besides
    "sklearn": ["sklearn"],
    "rl": [],
    "constraints": [],
    "noise": [],
    "containers": ["click", "rich"],
    "dataframes": ["pandas"],
}


def blocks(name):
    """The Python blocks of a recipe, in order."""
    return re.findall(r"```python\n(.*?)```", (RECIPES / f"{name}.md").read_text(), re.DOTALL)


def needs(*packages):
    """Skip a test unless all packages are there."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


def played(folder, source, *launcher):
    """What a script printed, run in a folder by a process of its own, which takes its children along."""
    (folder / "recipe.py").write_text(source)
    ran = subprocess.Popen(
        [sys.executable, *launcher, "recipe.py"], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **OFFLINE, "PYTHONPATH": str(ROOT), "HOME": str(folder)}, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = ran.communicate(timeout=240)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(ran.pid, signal.SIGKILL)
    assert ran.returncode == 0, errors
    return output


def assert_one_interval_each(made, metric, each):
    """Every trial trained exactly one interval more than its weights had been trained before."""
    assert made.done
    assert {trial.age for trial in made.trials} == set(range(made.steps))
    assert all(trial.metrics[metric] == each * (trial.age + 1) for trial in made.trials)
    assert any(trial.parent is not None and trial.finite for trial in made.trials)


def test_each_recipe_is_tested():
    """No recipe is added without a test that carries its name."""
    for path in RECIPES.glob("*.md"):
        named = any(name.startswith(f"test_{path.stem}") for name in globals())
        assert named or path.stem in {*TRAINERS, *FOLLOWED}, path


def points(folder):
    """By run, the steps and values of the tag `value`, read back as TensorBoard does."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = {}
    for run in sorted({path.parent for path in folder.rglob("events.*")}):
        events = EventAccumulator(str(run)).Reload()
        found[str(run.relative_to(folder))] = [(e.step, e.value) for e in events.Scalars("value")]
    return found


def exploiting(path):
    """A finished study whose members copied from those behind, so that weights got younger; some failed."""
    made = study(path, size=6, steps=12, seed=3)
    slow = hoptim.load(path)
    while (held := slow.ask()) is not None:
        with suppress(hoptim.NothingDue):
            while trial := made.ask(timeout=0.0):
                bad = trial.number % 11 == 5
                trial.tell(float("nan") if bad else 1 + (trial.params["x"] - 0.3) ** 2)
        held.tell(0.5 / (1 + held.number))  # the slow one is the best, and behind
    return made


def test_tensorboard_logger_writes_all_members_and_the_winner(tmp_path):
    """The function of the recipe logs a study whole, and nothing more when it is called again."""
    needs("tensorboard")
    names = {"__name__": "recipe"}
    exec(blocks("tensorboard")[0], names)
    made = study(tmp_path / "study")
    for trial in made:
        trial.tell(trial.params["x"])
    for _ in range(2):
        names["log"](made.path, tmp_path / "curves")
        found = points(tmp_path / "curves")
        winner = f"winner/trial-{made.best.number}"
        assert found.keys() == {*(f"member/{member:02}" for member in range(4)), winner}
        assert set(map(len, found.values())) == {5}


@pytest.mark.filterwarnings("ignore")  # of its database's package
def test_mlflow_has_all_members_and_the_winner(tmp_path, monkeypatch):
    """The function of the recipe logs a study whole, and nothing more when it is called again."""
    needs("mlflow")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    from mlflow.tracking import MlflowClient

    names = {"__name__": "recipe"}
    exec(blocks("mlflow")[0], names)
    made = study(tmp_path / "study")
    for trial in made:
        trial.tell(trial.params["x"])
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/curves/mlflow.db")
    for _ in range(2):
        names["log"](made.path, tmp_path / "curves")
        runs = client.search_runs([client.get_experiment_by_name("study").experiment_id])
        winner = f"winner/trial-{made.best.number}"
        assert {one.info.run_name for one in runs} == {*(f"member/{m:02}" for m in range(4)), winner}
        assert {len(client.get_metric_history(one.info.run_id, "value")) for one in runs} == {5}


def test_wandb_has_all_members_and_the_winner(tmp_path, monkeypatch):
    """The function of the recipe logs a study whole, in one directory for each run, however often."""
    needs("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    import wandb

    names = {"__name__": "recipe"}
    exec(blocks("wandb")[0], names)
    made = study(tmp_path / "study")
    for trial in made:
        trial.tell(trial.params["x"])
    for _ in range(2):
        names["log"](made.path, tmp_path / "curves")
        found = [path.name.split("-", 3)[3] for path in tmp_path.glob("curves/wandb/offline-run-*")]
        runs = [*(f"member-{member:02}" for member in range(4)), f"winner-trial-{made.best.number}"]
        assert sorted(found) == [f"{made.uuid}-{run}" for run in runs]
    wandb.teardown()


def test_tensorboard_curves_never_go_back_in_time(tmp_path):
    """In every run steps grow; members have each of their trials; lineages lead to each latest weights."""
    needs("torch", "tensorboard")
    names = {"__name__": "recipe"}
    exec(blocks("tensorboard")[1], names)
    made = exploiting(tmp_path / "study")
    ages = [[t.age for t in made.trials if t.member == m] for m in range(6)]
    assert any(b <= a for each in ages for a, b in pairwise(each)), "all weights only got older"
    names["follow"](hoptim.load(made.path), tmp_path / "curves")
    found = points(tmp_path / "curves")
    for steps in found.values():
        assert all(a < b for (a, _), (b, _) in pairwise(steps))
    for member in range(6):
        mine = [(t.step, t.value) for t in made.trials if t.member == member]
        assert np.allclose(found[f"member/{member:02}"], mine, equal_nan=True)
    healthy = sum(trial.finite for trial in made.trials)
    lineages = {run: steps for run, steps in found.items() if run.startswith("lineage/")}
    branched = sum(made.trials[int(run.rsplit("-", 1)[1])].parent is not None for run in lineages)
    assert branched > 0
    assert sum(map(len, lineages.values())) == healthy + branched


def test_tensorboard_curves_of_one_process_are_written_as_trials_are_told(tmp_path, monkeypatch):
    """As a callback the curves hear of each trial, and of the earlier ones after a restart."""
    needs("torch", "tensorboard")
    names = {"__name__": "recipe"}
    for block in blocks("tensorboard"):
        exec(block, names)
    for _ in range(2):
        names["train"](str(tmp_path / "study"), str(tmp_path / "curves"))
        found = points(tmp_path / "curves")
        assert [len(found[f"member/{member:02}"]) for member in range(4)] == [6] * 4


def test_logging_goes_where_the_recipe_says(tmp_path):
    """A lost claim is written to the file, and no longer at the level of errors to be ignored."""
    lose = """
import hoptim
logging.getLogger("hoptim").setLevel(logging.WARNING)
study = hoptim.Study(None, space={"x": hoptim.Float(0, 1)}, size=1, steps=1, mode="min")
for attempt in range(2):
    trial = study.ask()
    with trial:
        if attempt == 0:
            study._session.store.release(trial, unused=False)
        trial.tell(1.0)
print((open("hoptim.log").read()).count("was given to another worker"))
"""
    assert played(tmp_path, "\n".join([*blocks("logging"), lose])) == "1\n"


def test_pytorch_with_torchrun(tmp_path):
    """Two ranks under the real launcher train one epoch per trial, and load in parts what they saved so."""
    needs("torch")
    source = "\n".join(blocks("pytorch"))
    main, last = "if __name__", "    dist.destroy_process_group()\n"
    assert source.count(main) == source.count(last) == 1
    start, end = source.index(main), source.index(last)
    played(
        tmp_path,
        f"{source[:start]}{source[end + len(last) :]}{source[start:end]}{PARTS}{last}",
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
    )
    assert_one_interval_each(hoptim.load(tmp_path / "runs" / "ddp"), "epochs", 1)
    assert hoptim.load(tmp_path / "runs" / "parts").best.value == 2.0


PARTS = """
    for trial in hoptim.torch.trials(hoptim.Study("runs/parts", space=space, size=2, steps=2, mode="max")):
        name = f"of {dist.get_rank()}"
        state = {name: torch.zeros(3)}
        if trial.checkpoint:
            load_parts(trial, state)
        assert (state[name] == trial.age * (1 + dist.get_rank())).all()
        tell_in_parts(trial, trial.age + 1, {name: state[name] + 1 + dist.get_rank()})
"""


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer_trains_one_interval_per_trial(tmp_path, name):
    """The framework's own trainer, resumed by each trial; `trial.check` in the recipe proves the values."""
    packages, steps = TRAINERS[name]
    needs(*packages)
    played(tmp_path, "\n".join(blocks(name)))
    assert_one_interval_each(hoptim.load(tmp_path / "runs" / name), "steps", steps)


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_recipe_can_be_followed_to_the_letter(tmp_path, name):
    """All blocks but excerpts run one after another, and print what the page says that they print."""
    needs(*FOLLOWED[name])
    text = (RECIPES / f"{name}.md").read_text()
    reader = Reader(tmp_path)
    reader.read(text)
    assert reader.compared == text.count("```text") or name == "rl"
    for made in map(hoptim.load, (tmp_path / "runs").iterdir()):
        assert made.done
        assert all(trial.finite for trial in made.trials)


def test_sklearn_reads_a_parameter_when_the_recipe_says(tmp_path):
    """An MLP's learning rate counts in the first call alone, its `alpha` in each."""
    needs("sklearn")
    from sklearn.neural_network import MLPClassifier

    x, y = np.random.default_rng(0).normal(size=(50, 4)), np.arange(50) % 2

    def weights(**later):
        model = MLPClassifier((8,), random_state=0).partial_fit(x, y, classes=[0, 1])
        return model.set_params(**later).partial_fit(x, y).coefs_[0]

    assert (weights(learning_rate_init=0.5) == weights()).all()
    assert (weights(alpha=10.0) != weights()).any()


def test_containers_of_the_recipe_are_told_in_the_yaml_of_kubernetes():
    """The manifest is well formed, and its command is that of the shell's block, for one worker."""
    yaml = pytest.importorskip("yaml")
    text = (RECIPES / "containers.md").read_text()
    job = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    pod = job["spec"]["template"]["spec"]
    [worker] = pod["containers"]
    command = " ".join(worker["command"])
    assert command.replace("-n 1 /runs/pods", "-n 2 runs/pods") in text
    assert [mount["name"] for mount in worker["volumeMounts"]] == [each["name"] for each in pod["volumes"]]
    assert "completions" not in job["spec"]


def test_jax_applies_each_learning_rate_without_compiling_again(tmp_path):
    """The script is Python; with JAX it trains, and its step is traced once for all hyperparameters."""
    [source] = blocks("jax")
    compile(source, "jax.md", "exec")
    needs("jax")
    first = "    gradient = jax.grad("
    assert source.count(first) == 1
    assert played(tmp_path, source.replace(first, f"    print('traced')\n{first}")) == "traced\n"
    made = hoptim.load(tmp_path / "runs" / "jax")
    assert made.done
    assert made.best.value < min(trial.value for trial in made.trials if trial.parent is None)
