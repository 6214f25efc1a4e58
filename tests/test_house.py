"""The house rules that a reader of the code relies on, read from the code itself."""

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hoptim

PACKAGE = Path(hoptim.__file__).parent
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {name.removesuffix(".py") for name in FILES if "/" not in name}

ALGORITHM = {
    "dimension", "space", "population", "optimizer", "initiator", "truncation", "romul", "_kernel",
    "random_search", "asha", "fixed", "multifrequency", "patient",
}  # fmt: skip
STORE = {
    "files", "chain", "lock", "journal", "worker", "checkpoints", "settings", "entry", "state", "claim",
    "policy", "store", "leaving", "signals", "mount", "waiter", "reserve",
    "memory",
}  # fmt: skip
MAY_IMPORT = {
    **dict.fromkeys(ALGORITHM, ALGORITHM | {"errors", "trial", "arguments"}),
    **dict.fromkeys(STORE, STORE | {"errors", "trial", "arguments", "events"}),
    **dict.fromkeys(("study", "decision"), MODULES | {"check"}),
    "__init__": MODULES | {"check", "launch"},
    "history": {"entry", "state", "population"},
    "lineage": {"errors", "trial", "ranking"},
    "ranking": set(),
    "schedule": {"dimension", "space", "files", "errors"},
    "status": {"entry", "state", "worker", "space", "trial", "study", "lineage", "ranking"},
    "events": {"errors"},
    "fork": {
        "study",
        "ranking",
        "identity",
        "state",
        "entry",
        "space",
        "dimension",
        "optimizer",
        "files",
        "errors",
        "arguments",
    },
    "remote": {"study", "claim", "trial", "arguments", "errors"},
    "loop": {"store", "state", "signals", "trial", "errors", "decision", "clerk", "arguments"},
    "__main__": {"cli", "errors"},
    "identity": ALGORITHM | {"errors", "arguments"},
    "clerk": STORE | {"errors", "trial", "arguments", "decision", "events", "lineage", "status"},
    "arguments": {"errors"},
    "testing": ALGORITHM | {"questions", "errors"},
    "questions": ALGORITHM,
    "trial": {"errors", "study"},  # one that travelled to another process finds its study again
    "errors": set(),
}
INVARIANTS = {  # assertions on what only our own code can break
    ("journal.py", "self._fd is not None"): "the journal is open while its lock is held",
}
UNSAFE = {  # modules that execute or open what they are given
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "importlib", "runpy", "code",
    "socket", "socketserver", "ssl", "http", "urllib", "ftplib", "smtplib", "xmlrpc", "asyncio", "requests",
}  # fmt: skip
UNSAFE_BUT = {("testing.py", "pickle"): "dumps, and never loads"}


def nodes(name: str) -> Iterator[ast.AST]:
    """Everything in a file, inside functions too."""
    return ast.walk(ast.parse(FILES[name].read_text()))


def imported(name: str) -> set[str]:
    """Full names of the modules that a file imports anywhere, as `hoptim.space` or `os.path`."""
    found = set()
    for node in nodes(name):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{name} has a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names if alias.name in MODULES}
            found |= inner if node.module == "hoptim" and inner else {node.module}
    return found


def own(name: str) -> set[str]:
    """Names of our own modules that a file imports, `__init__` for the public names."""
    parts = [module.split(".") for module in imported(name)]
    return {[*part, "__init__"][1] for part in parts if part[0] == "hoptim"}


def calls(name: str) -> set[str]:
    """Plain names that a file calls, such as `print` but not `re.compile`."""
    found = (node.func for node in nodes(name) if isinstance(node, ast.Call))
    return {func.id for func in found if isinstance(func, ast.Name)}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_each_module_imports_what_its_half_may(module):
    """The algorithm and the store never import each other; only study and decision see both."""
    assert own(f"{module}.py") <= MAY_IMPORT[module]


def test_both_halves_and_what_joins_them_are_all_there():
    """No module is in two halves, and every module named in the rules exists."""
    assert not ALGORITHM & STORE
    assert MAY_IMPORT.keys() == MODULES
    assert all(own(f"{module}.py") & ALGORITHM for module in ("study", "decision"))
    assert all(own(f"{module}.py") & STORE for module in ("study", "decision"))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("check/")])
def test_checks_are_of_the_store_half(name):
    """What looks at a directory knows no algorithm either."""
    assert own(name) <= STORE | {"check", "errors", "arguments"}


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("torch/")])
def test_torch_uses_what_a_study_is_opened_with(name):
    """What is for PyTorch knows neither algorithms nor the store, beyond the file that names a study."""
    assert own(name) <= {"torch", "study", "trial", "settings", "errors"}


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("report/")])
def test_reports_know_what_users_know(name):
    """A report is made of the study's public side; of the store it takes only how files are written."""
    assert own(name) <= {"report", "study", "trial", "dimension", "files", "ranking"}


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("launch/")])
def test_launching_uses_the_study_as_a_user_would(name):
    """What starts workers knows neither half, only the study, its errors and how files are written."""
    assert own(name) <= {"launch", "study", "errors", "arguments", "files", "signals"}


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("cli/")])
def test_the_command_line_sees_no_half(name):
    """What a command does, a user could do in Python: it knows neither the algorithms nor the store."""
    assert not own(name) & ((ALGORITHM | STORE) - {"space", "files"})


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("cli/")])
def test_only_the_command_line_needs_its_extra(name):
    """click and rich are for the commands alone."""
    assert not {module.split(".")[0] for module in imported(name)} & {"click", "rich"}


def test_errors_import_nothing():
    """The errors can be caught anywhere, so their module imports nothing at all."""
    assert imported("errors.py") == set()


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("benchmarks/")])
def test_benchmarks_use_the_public_names_alone(name):
    """A benchmark can do nothing that a user could not."""
    assert own(name) <= {"__init__", "benchmarks", "plot"}


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("plot/")])
def test_plots_use_the_public_names_alone(name):
    """A picture shows what anybody could read, so it cannot disturb a study."""
    assert own(name) <= {"__init__", "plot", "lineage", "ranking"}


@pytest.mark.parametrize("name", FILES)
def test_scipy_is_for_benchmarks(name):
    """Only benchmarks need scipy, so a training script never waits for it."""
    tops = {module.split(".")[0] for module in imported(name)}
    assert "scipy" not in tops or name.startswith("benchmarks/")


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_executed_or_fetched(name):
    """No file imports pickle, network or import machinery, or calls eval, exec or compile."""
    tops = {module.split(".")[0] for module in imported(name)}
    assert {(name, module) for module in tops & UNSAFE} <= UNSAFE_BUT.keys()
    assert not calls(name) & {"eval", "exec", "compile", "__import__"}
    assert "allow_pickle" not in {node.arg for node in nodes(name) if isinstance(node, ast.keyword)}


@pytest.mark.parametrize("name", [name for name in FILES if name != "testing.py"])
def test_assertions_are_listed_invariants(name):
    """`python -O` drops assertions, so none checks what a user gave; the few left have a reason."""
    found = {(name, ast.unparse(node.test)) for node in nodes(name) if isinstance(node, ast.Assert)}
    assert found == {invariant for invariant in INVARIANTS if invariant[0] == name}


def test_public_names_are_all_and_sorted():
    """`__all__` is what can be imported from the package, in order: constants, classes, functions."""
    public = [n for n, v in vars(hoptim).items() if not n.startswith("_") and not inspect.ismodule(v)]
    assert hoptim.__all__ == sorted(public, key=lambda n: (not n.isupper(), n[0].islower(), n))


@pytest.mark.parametrize("name", hoptim.__all__)
def test_public_names_say_what_they_are(name):
    """Each public name has a docstring of its own whose first line is a sentence."""
    first = (getattr(hoptim, name).__doc__ or "").strip().splitlines()[0]
    assert first.endswith((".", ":"))


def test_importing_takes_no_slow_or_optional_package():
    """`import hoptim` alone loads neither scipy nor filelock nor any optional package."""
    packages = {
        "scipy", "filelock", "matplotlib", "torch", "sklearn", "pandas", "hypothesis", "pytest",
        "multiprocessing", "subprocess", "submitit", "distributed", "ray", "click", "rich",
    }  # fmt: skip
    code = f"import sys, hoptim; print(sorted({packages!r} & sys.modules.keys()))"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, cwd=PACKAGE.parent, check=False,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", [name for name, path in FILES.items() if ">>> " in path.read_text()])
def test_examples_in_docstrings_run(name):
    """Each example in a docstring prints what it says, without a warning."""
    module = importlib.import_module(".".join(["hoptim", *name.removesuffix(".py").split("/")]))
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
