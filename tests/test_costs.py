"""The scripts that measure costs: what they run, what their figures are, and small runs of them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import contention
import pytest
import table_3
import tell_and_ask
from costs.fleet import BARE, Fleet, Way, add_options, alternate, fleets, studies
from costs.machine import ROOT, header, spread
from costs.server import Run, Task

RUN = Run(rate=100.0, cpu=0.002, share=0.5, p50=0.004, p99=0.01, longest=0.02)


def runs(**rates: float) -> dict[str, list[Run]]:
    """Runs of the bare loop, twice as fast in its second round, and of others by their rates."""
    bare = {BARE.name: [RUN, replace(RUN, rate=200.0, cpu=0.001, p50=0.002)]}
    return bare | {name: [replace(RUN, rate=rate)] * 2 for name, rate in rates.items()}


def cells(capsys) -> dict[str, list[str]]:
    """What a script printed: the words of each line after its first."""
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    return {line[0]: [word.strip() for word in line[1:] if word] for line in lines}


# -- processes ----------------------------------------------------------------------------------------


def test_processes_of_a_fleet_do_as_many_operations_as_asked(tmp_path):
    """Each of two processes appends five lines after the one that prepares, and nothing is left over."""
    with Fleet(BARE) as fleet:
        run = fleet.run(Task(processes=2, operations=5, think=1e-4), tmp_path)
    assert 0 < run.p50 <= run.p99 <= run.longest
    assert 0 < run.share < 1
    assert run.cpu > 0
    assert run.rate > 0
    assert list(tmp_path.iterdir()) == []


def test_a_way_that_fails_ends_the_measurement(tmp_path, capfd):
    """The reason is the loop's own error; the script names the way."""
    way = Way("nobody", "by_hoptim.tell_and_ask", {"members": 0})
    with Fleet(way) as fleet, pytest.raises(SystemExit, match="nobody failed"):
        fleet.run(Task(operations=1), tmp_path)
    assert "ArgumentError" in capfd.readouterr().err


def test_the_bare_run_of_a_round_is_the_mean_of_the_two_around_it(tmp_path):
    """The bare loop runs before and after each round, every other way once in it."""
    order = []

    class Ran:
        """A server whose n-th run has a rate of n."""

        def __init__(self, way: Way) -> None:
            self.way = way

        def run(self, task: Task, folder: Path) -> Run:
            order.append(self.way.name)
            return replace(RUN, rate=len(order))

    found = alternate([Ran(BARE), Ran(Way("other", "by_hoptim.append"))], Task(), 2, tmp_path)
    assert order == ["bare loop", "other", "bare loop", "other", "bare loop"]
    assert [run.rate for run in found["bare loop"]] == [2.0, 4.0]
    assert [run.rate for run in found["other"]] == [2.0, 4.0]


def test_a_peer_runs_in_its_environment_and_another_checkout_in_this_one(tmp_path):
    """hoptim comes first; the peer's environment is found where `compare.py` makes it."""
    (tmp_path / "optuna").mkdir()
    (tmp_path / "optuna" / "installed").touch()
    parser = argparse.ArgumentParser()
    add_options(parser, rounds=3)
    ours, against, peer = studies(
        parser.parse_args(["--compare", str(tmp_path), "--against", str(tmp_path)]), members=8
    )
    assert (ours.arguments, ours.checkout) == ({"members": 8}, ROOT)
    assert (against.arguments, against.checkout, against.python) == ({"members": 8}, tmp_path, ours.python)
    assert Path(peer.python) == tmp_path / "optuna" / "bin" / "python"


# -- figures ------------------------------------------------------------------------------------------


def test_a_spread_is_the_median_with_minimum_and_maximum():
    """Large ratios are printed without decimals."""
    assert spread([3.0, 1.0, 200.0]) == "3.00 (1.00 .. 200)"


def test_the_header_names_versions_machine_and_load(tmp_path):
    """What a result depends on is a line above it."""
    line = header(tmp_path, "optuna==5.0.0")
    assert line.startswith("hoptim ")
    assert all(word in line for word in ("Python", "numpy", "optuna==5.0.0", "cores", "load"))


def test_contended_rates_are_compared_within_their_round():
    """A rate of 50 is half of 100 in one round, and a fourth of 200 in the other."""
    [_, row] = contention.contended(runs(hoptim=50.0))
    assert row[:3] == ["hoptim", "50", "2.000"]
    assert row[-3:] == ["0.38 (0.25 .. 0.50)", "1.00 (1.00 .. 1.00)", "1.00 (1.00 .. 1.00)"]
    assert contention.compared(runs(hoptim=50.0, peer=25.0)) == "hoptim / peer: 2.00 (2.00 .. 2.00)"
    assert contention.shares(runs())[0][1] == "50.00 (50.00 .. 50.00)"


def test_the_first_way_is_what_the_others_are_compared_with(tmp_path):
    """In a database that is another loop, which runs before and after each round as the bare loop does."""
    with fleets([BARE], Way("bare round", "by_bare.commit")) as servers:
        found = alternate(servers, Task(operations=3), 1, tmp_path)
    assert {name: len(each) for name, each in found.items()} == {"bare round": 1, "bare loop": 1}
    rows = contention.contended({"bare round": [RUN], "bare loop": [replace(RUN, rate=25.0)]})
    assert [row[-3][:4] for row in rows] == ["1.00", "0.25"]


def test_one_process_is_compared_with_two_rounds_of_the_bare_loop():
    """A tell and an ask of 4 ms are half of two rounds of 4 ms each, and as long as two of 2 ms."""
    row = tell_and_ask.durable(runs(hoptim=1.0))[2]
    assert row[:4] == ["hoptim", "4.000", "2.000", "0.75 (0.50 .. 1.00)"]


def test_the_ratio_of_checkouts_is_ours_to_the_other():
    """Below 1, this checkout is the faster one."""
    ours, other = [table_3.Seconds(1.0, 0.5)], [table_3.Seconds(2.0, 2.0)]
    assert table_3.row("it", other, ours)[3:] == ["0.50 (0.50 .. 0.50)", "0.25 (0.25 .. 0.25)"]


# -- small runs ---------------------------------------------------------------------------------------


def test_contention_is_measured(tmp_path, capsys):
    """Two processes without and with trials, for a moment."""
    short = ["--processes", "2", "--think", "0", "--seconds", "0.05", "--rounds", "1", "--trial", "0.01"]
    contention.main([*short, "--folder", str(tmp_path)])
    found = cells(capsys)
    assert {"bare loop", "journal", "hoptim"} <= found.keys()
    assert len(found["hoptim"]) == 2  # of the last table, of trials


@pytest.mark.postgres
def test_decisions_in_a_database_are_measured(capsys):
    """Two processes without and with trials, for a moment, in a server with connections for them."""
    pytest.importorskip("psycopg")
    import postgres

    short = ["--processes", "2", "--think", "0", "--seconds", "0.05", "--rounds", "1", "--trial", "0.01"]
    postgres.main(short)
    printed = capsys.readouterr().out
    assert printed.startswith("python benchmarks/postgres.py --processes 2")
    assert "fsync on, synchronous_commit on, max_connections 24" in printed
    assert [printed.count(f"\n{way}  ") for way in ("bare round", "PostgreSQL", "directory ")] == [2, 2, 2]


@pytest.mark.postgres
def test_the_size_in_a_database_is_modelled(capsys, monkeypatch):
    """A few decisions give the costs of all, and a server that is farther away carries no more workers."""
    pytest.importorskip("psycopg")
    import postgres_size

    monkeypatch.setattr(postgres_size, "_TRIALS", (10.0,))
    monkeypatch.setattr(postgres_size, "_SIZES", (1, 10))
    monkeypatch.setattr("size._TRIALS", (10.0,))
    postgres_size.main(["--rounds", "15"])
    near, far = (line.split() for line in capsys.readouterr().out.splitlines()[-2:])
    assert int(near[2].strip("+")) >= int(far[3].strip("+"))


def test_telling_and_asking_are_measured(tmp_path, capsys, monkeypatch):
    """A few trials on files and a study in memory."""
    monkeypatch.setitem(tell_and_ask._TASK, "seeds", [0])
    tell_and_ask.main(["--rounds", "1", "--trials", "5", "--folder", str(tmp_path)])
    assert cells(capsys)["hoptim"][1] == "1.00 (1.00 .. 1.00)"


def test_the_time_of_table_3_is_measured(capsys, monkeypatch):
    """A row for each checkout."""
    monkeypatch.setattr(table_3, "_COMMAND", ("-c", "pass"))
    table_3.main(["--rounds", "1"])
    [row] = [words for name, words in cells(capsys).items() if name.startswith("hoptim at")]
    assert row[2:] == ["1.00 (1.00 .. 1.00)", "1.00 (1.00 .. 1.00)"]
