"""The examples, run as a user runs them, and killed as a user kills them."""

import difflib
import importlib
import inspect
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import hoptim

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SMALL = ["--workers", "2", "--members", "4", "--steps", "6", "--repeats", "1"]
NETWORK = {"lr": 0.1, "momentum": 0.9, "l2": 1e-4, "shift": 0.5, "batch": 32}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports an example by name, anew for each test."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module
    for path in EXAMPLES.glob("*.py"):
        sys.modules.pop(path.stem, None)


def start(name: str, *args: object) -> subprocess.Popen[str]:
    """An example as a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str], status: int = 0) -> str:
    """What an example printed, once it has ended as it should."""
    output: str = process.communicate(timeout=60)[0]
    assert process.returncode == status, output
    return output


def records(study: Path, op: str) -> list[dict[str, Any]]:
    """The records of a kind among a journal's whole lines, read without hoptim."""
    path = study / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [record for line in lines if (record := json.loads(line[9:]))["op"] == op]


def assert_each_step_told_once(study: Path, members: int, steps: int) -> None:
    places = {r["trial"]: (r["member"], r["step"]) for r in records(study, "ask") if "member" in r}
    told = Counter(places[record["trial"]] for record in records(study, "tell"))
    assert told == {(member, step): 1 for member in range(members) for step in range(steps)}


def digits_under_way(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """The digits example early in its first study, and the number of a process that works on it."""
    process = start("digits", folder, *SMALL)
    deadline = time.monotonic() + 30
    while len(told := records(folder / "pbt-0", "tell")) < 5:
        assert time.monotonic() < deadline, "Five trials were not done within 30 s."
        time.sleep(0.005)
    assert len(told) < 4 * 6
    return process, int(records(folder / "pbt-0", "ask")[-1]["worker"].split(".")[-2])


def search(optimizer: hoptim.Optimizer, module: ModuleType, value: Callable[[Any], float]) -> list[Any]:
    """The trials of a small study in memory, in order."""
    study = hoptim.Study(None, space=module.SPACE, optimizer=optimizer, size=4, steps=3, mode="min")
    for trial in study:
        trial.tell(value(trial))
    return study.trials


def test_each_example_is_tested():
    """No example is added without a test that carries its name."""
    for path in EXAMPLES.glob("*.py"):
        assert any(name.startswith(f"test_{path.stem}_") for name in globals()), path


def test_digits_prints_schedule_and_comparison_and_the_same_when_run_again(tmp_path):
    """Two workers do all studies; the same command again writes nothing and prints the same."""
    args = [tmp_path, *SMALL, "--steps", 3, "--repeats", 2]
    output = end(start("digits", *args))
    lines = output.splitlines()
    assert lines[0].startswith("What the winner of")
    ages = [line.split()[0] for line in lines[1:-2]]  # who copies a member that is a step behind is younger
    assert ages in (["age", "0", "1", "2"], ["age", "0", "1"])
    assert [line.split(":")[0] for line in lines[-2:]] == ["PBT", "random search"]
    journals = {path: path.read_bytes() for path in tmp_path.glob("*/journal.jsonl")}
    assert {path.parent.name for path in journals} == {"pbt-0", "pbt-1", "random-0", "random-1"}
    assert end(start("digits", *args)) == output
    assert journals == {path: path.read_bytes() for path in journals}


def test_digits_goes_on_after_all_of_it_was_killed(tmp_path):
    """After SIGKILL of the whole process group the same command finishes each step exactly once."""
    process, _ = digits_under_way(tmp_path)
    os.killpg(process.pid, signal.SIGKILL)
    end(process, -signal.SIGKILL)
    end(start("digits", tmp_path, *SMALL, "--workers", 1))
    for study in ("pbt-0", "random-0"):
        assert_each_step_told_once(tmp_path / study, members=4, steps=6)


def test_digits_is_finished_by_the_other_worker_when_one_is_killed(tmp_path):
    """The parent reports a dead worker, and the one that is left does all that is left."""
    process, worker = digits_under_way(tmp_path)
    os.kill(worker, signal.SIGKILL)
    assert f"1 of 2 workers died: [{worker}]" in end(process)
    for study in ("pbt-0", "random-0"):
        assert_each_step_told_once(tmp_path / study, members=4, steps=6)


def test_digits_says_so_when_no_worker_is_left(example, monkeypatch):
    """Without a worker that finishes the studies it ends with an error that says how to go on."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    digits = example("digits")
    study = hoptim.Study(None, space=digits.SPACE, size=2, steps=2, mode="min")
    with pytest.raises(SystemExit, match="Run the same command again"):
        digits.work([study], workers=0)


def test_digits_network_diverges_without_a_warning(example):
    """A learning rate far too high ends in a loss that is not finite, which a trial simply tells."""
    digits = example("digits")
    data, net = digits.Digits(), digits.Network(seed=0)
    net.apply({**NETWORK, "lr": 1e200})
    net.train_epoch(data, np.random.default_rng(0))
    assert not math.isfinite(net.loss(*data.validation))


def test_digits_network_continues_exactly_from_its_checkpoint(example, tmp_path):
    """An epoch after save and load is the epoch that would have come without."""
    digits = example("digits")
    data, net = digits.Digits(), digits.Network(seed=0)
    net.apply(NETWORK)
    net.train_epoch(data, np.random.default_rng(0))
    net.save(str(tmp_path / "net"))
    other = digits.Network.load(str(tmp_path / "net"))
    other.apply(NETWORK)
    for each in (net, other):
        each.train_epoch(data, np.random.default_rng(1))
    assert net.loss(*data.validation) == other.loss(*data.validation)


def test_digits_random_search_begins_as_pbt_does_and_keeps_its_draws(example):
    """The baseline has the same starts and seeds, and each member keeps its own to the end."""
    digits = example("digits")
    random = search(digits.RescuedSearch(), digits, lambda trial: trial.member)
    pbt = search(hoptim.ROMUL(), digits, lambda trial: trial.member)
    first = [(t.member, t.params, t.seed) for t in random[:4]]
    assert first == [(t.member, t.params, t.seed) for t in pbt[:4]]
    assert all(t.params == first[t.member][1] for t in random)
    assert all(random[t.parent].member == t.member for t in random[4:])


def test_digits_random_search_rescues_a_member_that_failed(example):
    """Who failed goes on from one that is healthy; when nobody is, from a fresh draw."""
    digits = example("digits")
    one = search(digits.RescuedSearch(), digits, lambda t: math.nan if t.number == 0 else 1.0)
    rescued = next(t for t in one if t.member == 0 and t.step == 1)
    assert rescued.params == one[rescued.parent].params != one[0].params
    everybody = search(digits.RescuedSearch(), digits, lambda t: math.nan if t.step == 0 else 1.0)
    assert all(t.parent is None for t in everybody[:8])
    assert len({t.params["lr"] for t in everybody[:8]}) == 8


def test_existing_script_takes_at_most_six_lines(example):
    """Lines added or changed, the import included, are at most six, and just these are marked."""
    script = example("existing_script")
    before, after = (inspect.getsource(f).splitlines()[2:] for f in (script.before, script.after))
    added = [line[2:] for line in difflib.ndiff(before, after) if line.startswith("+ ")]
    source = (EXAMPLES / "existing_script.py").read_text().splitlines()
    imports = [line for line in source if line.startswith("import hoptim")]
    assert [line for line in source if line.endswith("  # hoptim")] == imports + added
    assert len(imports + added) <= 6


def test_existing_script_is_better_after_than_before(tmp_path):
    """Both versions run, and the population ends with the lower loss."""
    before, after = end(start("existing_script", tmp_path)).splitlines()
    assert float(after.split()[2].strip(",")) < float(before.split()[2])


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [
        ("digits", "sklearn.datasets", "examples"),
        ("torch_digits", "torch", "torch,examples"),
        ("one_graph", "torch", "torch,examples"),
        ("language", "torch", "torch"),
    ],
)
def test_example_names_the_extra_that_is_missing(example, monkeypatch, name, missing, extra):
    """Without an optional package the message says what to install."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(hoptim.MissingExtra, match=rf"pip install -e '\.\[{extra}\]'"):
        example(name)


@pytest.fixture
def torch_digits(example: Callable[[str], ModuleType]) -> ModuleType:
    pytest.importorskip("torch", reason="the extra hoptim[torch] is not installed")
    return example("torch_digits")


def test_torch_digits_runs_and_only_prints_when_run_again(torch_digits, tmp_path, monkeypatch, capsys):
    """The script trains each member's steps, says how good its winner is, and is reentrant."""
    monkeypatch.setattr(sys, "argv", ["torch_digits", str(tmp_path), "--members=3", "--steps=4"])
    torch_digits.main()
    output = capsys.readouterr().out
    assert "Held-out accuracy" in output
    assert_each_step_told_once(tmp_path, members=3, steps=4)
    torch_digits.main()
    assert capsys.readouterr().out == output


@pytest.mark.parametrize("applied_first", [False, True])
def test_torch_digits_applied_before_load_is_caught(torch_digits, applied_first):
    """What is applied before the checkpoint is loaded is the parent's again, and check says so."""
    digits, ages = torch_digits.Digits("cpu"), set()
    study = hoptim.Study(None, space=torch_digits.SPACE, size=3, steps=3, mode="min")
    for trial in study:
        trainer = torch_digits.Trainer(trial.seed, "cpu")
        if applied_first:
            trainer.apply(trial.params)
        if trial.checkpoint:
            trainer.load(trial.checkpoint)
        if applied_first and trial.checkpoint:
            with pytest.raises(hoptim.NotApplied, match=r"lr.*momentum.*weight_decay"):
                trial.check(**trainer.in_force(trial.age))
            return
        trainer.apply(trial.params)
        trial.check(**trainer.in_force(trial.age))
        ages.add(trial.age)
        trainer.train_epoch(digits)
        assert trainer.scheduler.last_epoch == trial.age + 1
        trial.tell(trainer.evaluate(*digits.validation)[0], save=trainer.save)
    assert ages == {0, 1, 2}


def test_replay_trains_the_winner_again_from_its_schedule_alone(tmp_path):
    """From the study, or its saved file alone, every loss is the same; one that differs is told of."""
    end(start("digits", tmp_path / "run", *SMALL))
    ages = len(hoptim.load(tmp_path / "run" / "pbt-0").schedule())  # two workers: not always all steps
    printed = end(start("replay", tmp_path / "run" / "pbt-0", "--save", tmp_path / "s.json"))
    (tmp_path / "run").rename(tmp_path / "gone")
    assert end(start("replay", "--schedule", tmp_path / "s.json")) == printed
    assert printed.splitlines()[-1] == "Every loss is the same to the last bit."
    assert len(printed.splitlines()) == 1 + ages + 1 > 2 + 3
    data = json.loads((tmp_path / "s.json").read_text())  # with one learning rate changed they differ
    data["intervals"][3]["params"]["lr"] *= 1.01
    (tmp_path / "s.json").write_text(json.dumps(data))
    assert "The losses differ" in end(start("replay", "--schedule", tmp_path / "s.json"), status=1)


@pytest.fixture
def one_graph(example: Callable[[str], ModuleType]) -> ModuleType:
    pytest.importorskip("torch", reason="the extra hoptim[torch] is not installed")
    return example("one_graph")


KILLED = """
import os, sys, hoptim, one_graph
tell, told = hoptim.Trial.tell, []
def killed(trial, *args, **keywords):
    if len(told) == 4:  # between two tells of the second generation
        os._exit(9)
    tell(trial, *args, **keywords)
    told.append(trial)
hoptim.Trial.tell = killed
one_graph.main()
"""


def test_one_graph_in_torch_goes_on_with_what_is_left_of_a_generation(
    one_graph, tmp_path, monkeypatch, capsys
):
    """Killed between two tells of a generation, the script trains each step once, and then only prints."""
    arguments = [str(tmp_path), "--members=3", "--steps=4"]
    path = os.pathsep.join([str(ROOT), str(EXAMPLES)])
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert (ended.returncode, len(records(tmp_path, "tell"))) == (9, 4)
    monkeypatch.setattr(sys, "argv", ["one_graph", *arguments])
    one_graph.main()
    output = capsys.readouterr().out
    assert_each_step_told_once(tmp_path, members=3, steps=4)
    one_graph.main()
    assert capsys.readouterr().out == output


def test_one_graph_in_torch_trains_each_member_as_if_alone(one_graph):
    """Members in one graph get the gradients of their own network, and do not change each other."""
    import torch

    population = one_graph.Population(3, "cpu")
    for member in range(3):
        population.begin(member, member)
    images, labels = population.validation
    found = population.gradients(population.weights, images, labels, torch.zeros(3))
    for member in range(3):
        network = one_graph.network()
        network.load_state_dict({name: weight[member] for name, weight in population.weights.items()})
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        for name, weight in network.named_parameters():
            torch.testing.assert_close(found[name][member], weight.grad, rtol=1e-4, atol=1e-6)


@pytest.fixture
def language(example: Callable[[str], ModuleType]) -> ModuleType:
    pytest.importorskip("torch", reason="the extra hoptim[torch] is not installed")
    return example("language")


@pytest.fixture
def rhyme(tmp_path: Path) -> Path:
    """A text whose next word is nearly always known from the one before."""
    path = tmp_path / "rhyme.txt"
    path.write_text("One, two, buckle my shoe; three, four, shut the door.\n" * 250, encoding="utf-8")
    return path


def test_language_in_torch_learns_and_only_prints_when_run_again(
    language, rhyme, tmp_path, monkeypatch, capsys
):
    """Perplexity falls to less than half, and the checkpoint has the loss told; again it only prints."""
    run = tmp_path / "run"
    monkeypatch.setattr(sys, "argv", ["language", str(run), f"--data={rhyme}", "--members=3", "--steps=4"])
    language.main()
    output = capsys.readouterr().out
    assert_each_step_told_once(run, members=3, steps=4)
    heading, perplexities = output.splitlines()[1].split(":")
    assert heading == "Validation perplexity by age"
    first, *_, last = map(int, perplexities.split())
    assert last < first / 2
    text, best = language.Text(rhyme), hoptim.load(run).best
    model = language.LanguageModel(text.vocabulary, embedding=0.5, hidden=0.5, output=0.5)
    model.load_state_dict(language.torch.load(best.checkpoint, weights_only=True)["model"])
    assert language.evaluate(model, text.validation) == pytest.approx(best.value)
    language.main()
    assert capsys.readouterr().out == output


PARTNER = """
import os, signal, sys, time, hoptim, language
tell, told = hoptim.Trial.tell, []
def tell_then_die(trial, *args, **keywords):
    if len(told) == 2:
        while len(hoptim.load(sys.argv[1]).trials) == 2:  # the other process has told none yet
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    tell(trial, *args, **keywords)
    told.append(trial)
hoptim.Trial.tell = tell_then_die
language.main()
"""


def test_language_in_torch_is_shared_and_goes_on_when_a_process_is_killed(
    language, rhyme, tmp_path, monkeypatch
):
    """Two processes share the trials; one gets SIGKILL in its third, and the other finishes them all."""
    run = tmp_path / "run"
    arguments = [str(run), f"--data={rhyme}", "--members=4", "--steps=5"]
    path = os.pathsep.join([str(ROOT), str(EXAMPLES)])
    partner = subprocess.Popen(
        [sys.executable, "-c", PARTNER, *arguments], env={**os.environ, "PYTHONPATH": path}
    )
    deadline = time.monotonic() + 60
    while len(records(run, "ask")) < 3:
        assert time.monotonic() < deadline, "Three trials were not asked for within 60 s."
        time.sleep(0.005)
    monkeypatch.setattr(sys, "argv", ["language", *arguments])
    language.main()
    assert partner.wait(timeout=60) == -signal.SIGKILL
    assert_each_step_told_once(run, members=4, steps=5)
    worker = {record["trial"]: record["worker"] for record in records(run, "ask")}  # the last to ask for it
    by_worker = Counter(worker[record["trial"]] for record in records(run, "tell"))
    assert sorted(by_worker.values()) == [2, 18]


@pytest.mark.parametrize("training", [True, False])
def test_language_in_torch_sees_no_later_word(language, training):
    """Changing words changes no logit before them, and all from there on."""
    torch = language.torch
    model = language.LanguageModel(50, embedding=0.0, hidden=0.0, output=0.0).train(training)
    words = torch.randint(50, (2, language.LENGTH), generator=torch.Generator().manual_seed(0))
    changed = torch.cat([words[:, :20], (words[:, 20:] + 1) % 50], dim=1)
    with torch.no_grad():
        differences = (model(words) - model(changed)).abs().amax((0, 2))
    assert differences[:20].max() < 1e-5 < differences[20:].min()


def test_language_in_torch_refuses_a_text_too_short_to_learn_from(language, tmp_path):
    """The message names the file and how many words it has."""
    (tmp_path / "short.txt").write_text("In the beginning.", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"short\.txt' must have at least 1000 words, found 4\."):
        language.Text(tmp_path / "short.txt")
