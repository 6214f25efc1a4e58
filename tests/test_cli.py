"""The command line as a whole: help, exit statuses, what it prints where, and what it leaves alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="the command line needs the extra 'cli'")
pytest.importorskip("click", reason="the command line needs the extra 'cli'")

import hoptim
from hoptim.__main__ import main
from hoptim.cli.app import SECTIONS, commands
from tests.builders import ROOT, redirected, run, study, train

LOOKS = [  # at one study
    ["status"], ["watch"], ["best"], ["best", "--ever"], ["schedule"], ["export"], ["check"], ["lineage"],
    ["lineage", "--exploits"], ["lineage", "--member", "1"], ["lineage", "--trial", "0"],
]  # fmt: skip
LINES = {"watch", "export"}  # whose JSON is a value a line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study that is done, with checkpoints, and names that would steer a terminal or be markup."""
    path = tmp_path_factory.mktemp("cli") / "[red]study"
    space = {
        "x": hoptim.Float(0.0, 1.0),
        "k": hoptim.Int(1, 9),
        "\x1b[31m": hoptim.Choice(["[bold]", "\x1b[2J"]),
    }
    train(study(path, space=space), saves=True)
    return path


def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "hoptim", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def contents(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything in a directory: inode, time of the last change, bytes."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes()) for p in files}


def no_constant(name: str) -> None:
    """JSON has no NaN."""
    raise AssertionError(name)


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_looking_writes_nothing(folder, look, capsys):
    """No command that looks at a study changes a file of it, and each says something."""
    before = contents(folder)
    assert main([*look, str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out.strip()
    assert err == ""
    assert contents(folder) == before


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_json_is_plain_and_alone(folder, look, capsys):
    """With --json there is JSON on standard output, which any parser reads, and nothing else anywhere."""
    assert main([*look, str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    texts = out.splitlines() if look[0] in LINES else [out]
    assert [json.loads(text, parse_constant=no_constant) for text in texts]
    assert err == ""


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_names_do_not_steer_a_terminal(folder, look, capsys):
    """Whatever the study's names hold, no control character is printed, and no name is markup."""
    if look[0] == "export":
        pytest.skip("an export is exact")
    assert main([*look, str(folder)]) == 0
    assert re.search(r"[^\n -~]", capsys.readouterr().out) is None


def test_names_are_no_markup(folder, capsys):
    """What rich would take for a style is printed as it is."""
    assert main(["status", str(folder)]) == 0
    assert "/[red]study," in capsys.readouterr().out
    assert main(["schedule", str(folder)]) == 0
    out = capsys.readouterr().out
    assert {"[bold]", "\\x1b[2J"} & set(out.split())
    assert "\\x1b[31m" in out.splitlines()[0]


def test_tables_fit_a_narrow_terminal(tmp_path, capsys, monkeypatch):
    """On 40 columns no line is longer, and each value of many is there in one piece."""
    monkeypatch.setenv("COLUMNS", "40")
    space = {f"number {i}": hoptim.Float(0.0, 1.0) for i in range(9)}
    made = study(tmp_path, space=space)
    for trial in made:
        trial.tell(trial.params["number 0"])
    for look in ("status", "schedule"):
        assert main([look, str(tmp_path)]) == 0
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines())) <= 40
        assert all(name in " ".join(out.split()) for name in space)
    values = {f"{value:.4g}" for interval in made.schedule() for value in interval.params.values()}
    assert values <= set(out.split())


def test_colours_are_for_terminals_that_want_them(folder):
    """Escapes go to a terminal alone, and colours not to one with NO_COLOR."""
    unfinished = folder.parent / "unfinished"
    study(unfinished)  # which is worth a warning
    assert "\x1b" not in call("status", unfinished).stdout
    assert "\x1b[33m" in call("status", unfinished, FORCE_COLOR="1").stdout
    assert "\x1b[33m" not in call("status", unfinished, FORCE_COLOR="1", NO_COLOR="1").stdout


@pytest.mark.parametrize("look", ["best", "status"])
def test_letters_that_a_terminal_lacks_are_spelled(tmp_path, look):
    """A name outside of the terminal's encoding is no error."""
    folder = tmp_path / "\N{GREEK SMALL LETTER MU}"
    train(study(folder, steps=1), saves=True)
    ran = call(look, folder, PYTHONIOENCODING="iso8859-1")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\\u03bc" in ran.stdout


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_where_no_study_is_one_sentence_says_so(tmp_path, look, capsys):
    """No study is status 2 and hoptim's own sentence on stderr."""
    assert main([*look, str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"hoptim: There is no study in {str(tmp_path)!r}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", sorted(commands.commands.keys() - {"completion"}))
def test_a_url_is_no_directory(command, tmp_path, monkeypatch, capsys):
    """Every command refuses a URL in one sentence that says what to do, and makes nothing of that name."""
    monkeypatch.chdir(tmp_path)
    more = {
        "run": ["true"],
        "fork": ["new"],
        "copy": ["new"],
        "plot": ["-o", "a.png"],
        "report": ["-o", "a.html"],
    }
    claim = ["0", "--token", "1"]
    more |= {"beat": claim, "tell": [*claim, "--value", "1"], "fail": [*claim, "--why", "x"]}
    assert main([command, "s3://bucket/run", *more.get(command, [])]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("hoptim: 's3://bucket/run' is a URL.")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("output", ["s3://bucket/a.csv", "~/a.csv"])
def test_the_name_of_an_output_is_a_path_as_people_write_it(folder, output, tmp_path, monkeypatch, capsys):
    """A URL is refused and `~` is expanded, also where a command writes a file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    status = main(["export", str(folder), "-o", output])
    assert (status, os.listdir(tmp_path)) == ((2, []) if "s3" in output else (0, ["a.csv"]))


def test_studies_one_level_down_are_named(folder, capsys):
    """Who gives the folder of several studies is told theirs."""
    assert main(["best", str(folder.parent)]) == 2
    assert str(folder) in capsys.readouterr().err


def test_a_file_is_no_directory(tmp_path, capsys):
    """A file in the place of the directory is wrong usage, too."""
    (tmp_path / "file").touch()
    assert main(["status", str(tmp_path / "file")]) == 2
    assert "is not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("look", [look for look in LOOKS if look != ["check"]], ids=" ".join)
def test_damage_is_status_1(tmp_path, look, capsys):
    """A damaged journal is status 1 and the text that names the line, without a traceback."""
    train(study(tmp_path, steps=2))
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"tell"', b'"tall"', 1))
    assert main([*look, str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.match(r"hoptim: .*journal\.jsonl.* line \d+", err)


@pytest.mark.parametrize(
    "look", [["best"], ["best", "--ever"], ["schedule"], ["lineage"], ["lineage", "--member", "0"]]
)
def test_no_result_yet_is_status_1(tmp_path, look, capsys):
    """Before the first value, what needs one says so."""
    study(tmp_path)
    assert main([*look, str(tmp_path)]) == 1
    assert re.match(r"hoptim: .*(no trial|not finished a trial)", capsys.readouterr().err)


@pytest.mark.parametrize(
    "wrong",
    [["lineage", "--trial", "1", "--member", "1"], ["lineage", "--member", "4"],
     ["lineage", "--trial", "-1"], ["schedule", "--trial", "999"], ["plot", "values"], ["completion"],
     ["export", "--format", "xml"], ["watch", "--every", "0"], ["watch", "--every", "nan"],
     ["report", "--every", "0"], ["report", "--every", "nan"], ["report", "--every", "inf"],
     ["report", "--every", "86401"], ["report", "--every", "often"], ["dance"], ["best", "--loud"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_status_2(folder, wrong, capsys):
    """What cannot be meant is status 2 and says what is wrong, on stderr."""
    assert main([*wrong, str(folder)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"^(hoptim|Error): .+\n\Z", err, re.MULTILINE)


@pytest.mark.parametrize("look", [["status"], ["watch"], ["best"], ["export"], ["lineage"], ["schedule"]])
def test_a_reader_that_went_away_is_silent(folder, unread, look):
    """As in `| head`: the first word that nobody reads ends the command, without a word on stderr."""
    ran = redirected([*look, folder], stdout=unread)
    assert (ran.returncode, ran.stderr) == (141, "")


PRINTING = [
    ["status"], ["watch"], ["watch", "--json"], ["best"], ["schedule"], ["schedule", "--csv"], ["export"],
    ["lineage"], ["lineage", "--exploits"], ["check"], ["check-dir"],
]  # fmt: skip


@pytest.fixture
def unread():
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("command", [*PRINTING, ["--help"], ["best", "--help"]], ids=" ".join)
def test_output_that_cannot_be_written_is_status_1(folder, command):
    """A full disk behind standard output is one line on stderr and status 1, without a traceback."""
    ran = redirected([*command, *([] if "--help" in command else [folder])], ">/dev/full")
    line = "hoptim: The output could not be written: No space left on device.\n"
    assert (ran.returncode, ran.stderr) == (1, line)


@pytest.mark.parametrize("command", [["status"], ["best"], ["export"], ["watch", "--json"]], ids=" ".join)
def test_a_closed_output_is_status_1(folder, command):
    """A standard output that is closed is no silent success: one line on stderr and status 1."""
    ran = redirected([*command, folder], ">&-")
    line = "hoptim: The output could not be written: Bad file descriptor.\n"
    assert (ran.returncode, ran.stderr) == (1, line)


def test_what_acts_and_cannot_say_so_is_status_1(folder, tmp_path, unread):
    """A fork whose answer nobody reads is made, and says so on stderr, unlike a look that is cut short."""
    ran = redirected(["fork", folder, tmp_path / "new"], stdout=unread)
    assert (ran.returncode, ran.stderr) == (1, "hoptim: The output could not be written: Broken pipe.\n")
    assert hoptim.load(tmp_path / "new").size == 4


def test_errors_that_cannot_be_printed_keep_their_status(folder, tmp_path):
    """A closed or full standard error changes no exit status."""
    for to in ("2>/dev/full", "2>&-"):
        assert redirected(["status", tmp_path], to).returncode == 2
        assert redirected(["dance"], to).returncode == 2
        assert redirected(["best", folder], to).returncode == 0


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    """With all standard streams closed, what is written to them reaches no file of the study."""
    study(tmp_path / "s", steps=1)
    code = "import os, sys; os.write(1, b'x'); os.write(2, b'x')"
    ran = redirected(["run", tmp_path / "s", "--json", "--", sys.executable, "-c", code], "<&- >&- 2>&-")
    assert ran.returncode == 1
    assert hoptim.load(tmp_path / "s").check().findings == ()
    assert (tmp_path / "s" / "logs" / "worker-0.log").read_bytes().endswith(b"\nxx")


@pytest.mark.parametrize("form", [["--json"], []])
def test_ctrl_c_ends_a_watch_with_130(tmp_path, form):
    """Ctrl-C says nothing and is status 130."""
    study(tmp_path)
    command = [sys.executable, "-m", "hoptim", "watch", str(tmp_path), "--every", "0.1", *form]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout.readline()
        ran.send_signal(signal.SIGINT)
        assert (ran.wait(60), ran.stderr.read()) == (130, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_live_watch_leaves_the_terminal_as_it_was(tmp_path, number):
    """However it is ended, the cursor is shown again and there is no traceback."""
    study(tmp_path)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "hoptim", "watch", str(tmp_path), "--every", "0.1"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(command, cwd=ROOT, stdout=theirs, stderr=theirs, env=environment) as ran:
        os.close(theirs)
        limit = threading.Timer(120, ran.kill)
        limit.start()
        screen = b""
        while b"No active workers" not in screen:
            screen += os.read(ours, 4096)
        ran.send_signal(number)
        with suppress(OSError):  # on Linux the end of a terminal is an error
            while part := os.read(ours, 4096):
                screen += part
        limit.cancel()
        assert ran.wait(60) == 128 + number
    os.close(ours)
    assert screen.rfind(b"\x1b[?25h") > screen.rfind(b"\x1b[?25l") >= 0
    assert b"Traceback" not in screen


def test_ctrl_c_ends_a_repeated_report_with_130(tmp_path):
    """Ctrl-C leaves a page that is whole, and nothing beside it; it is status 130 without a word."""
    study(tmp_path / "study")
    (tmp_path / "pages").mkdir()
    page = tmp_path / "pages" / "run.html"
    command = [sys.executable, "-m", "hoptim", "report", tmp_path / "study", "--every", "0.1", "-o", page]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout.readline() == f"Wrote {page}.\n"
        ran.send_signal(signal.SIGINT)
        assert (ran.wait(60), ran.stdout.read(), ran.stderr.read()) == (130, "", "")
    assert page.read_text().endswith("</html>\n")
    assert os.listdir(page.parent) == [page.name]


def test_looking_needs_no_lock(folder):
    """Status and best are there while somebody else holds the lock for good."""
    held = run("hold.py", folder)
    try:
        assert held.stdout.readline() == "held\n"
        assert call("status", folder).returncode == 0
        assert call("best", folder).returncode == 0
    finally:
        held.kill()
        held.communicate()


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_extra_is_named(missing):
    """Without the extra one line says how to get it; status 2."""
    begin = f"import sys; sys.modules[{missing!r}] = None; from hoptim.__main__ import main; "
    code = begin + "sys.exit(main(['best', '.']))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert "pip install -e '.[cli]'" in ran.stderr


def test_a_prompt_waits_for_no_slow_package(folder):
    """`best` imports neither rich's console nor matplotlib nor scipy."""
    slow = {"rich.console", "rich.table", "matplotlib", "scipy", "filelock", "subprocess"}
    code = (
        "import sys; from hoptim.__main__ import main; status = main(['best', sys.argv[1]]); "
        f"print(status, sorted({slow!r} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "0 []"


def test_the_help_has_every_command_in_80_columns(capsys, monkeypatch):
    """Each command is in the help with one line that is not cut, and has a help of its own."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for section, listed in SECTIONS.items():
        assert f"{section}:" in text
        for command in listed:
            assert re.search(rf"^  {command.name} +\S.*\.$", text, re.MULTILINE), command.name
            assert main([str(command.name), "-h"]) == 0
    assert set(commands.commands) == {command.name for listed in SECTIONS.values() for command in listed}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete(shell, capfd):
    """The script that is printed asks the program by a variable, and is of that shell."""
    if shell == "bash" and not shutil.which("bash"):
        pytest.skip("bash is not installed")
    assert main(["completion", shell]) == 0
    out, err = capfd.readouterr()
    assert f"_HOPTIM_COMPLETE={shell}_complete" in out
    assert err == ""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("hoptim sta", ["plain,status"]),
        ("hoptim status --js", ["plain,--json"]),
        ("hoptim status ru", ["dir,ru"]),
        ("hoptim plot runs/a over", ["dir,over", "plain,overview"]),
    ],
)
def test_commands_options_and_directories_are_completed(line, wanted):
    """What the script of bash is answered for a line that is not finished."""
    at = str(line.count(" "))
    ran = call(_HOPTIM_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=at)
    assert (ran.returncode, ran.stdout.split(), ran.stderr) == (0, wanted, "")


def test_without_a_command_the_help_is_status_2(capsys):
    """No command at all prints the help."""
    assert main([]) == 2
    assert "check-dir" in "".join(capsys.readouterr())


def test_the_version_is_printed(capsys):
    """`--version` is the package's."""
    assert main(["--version"]) == 0
    assert hoptim.__version__ in capsys.readouterr().out
