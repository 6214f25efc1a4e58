"""The house rules that a reader of the code relies on, read from the code itself."""

import ast
import doctest
import graphlib
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
MODULES = {name.removesuffix(".py") for name in FILES}
GROUND = {"errors", "_arguments", "_text"}
SYSTEM = {"_files", "_signals"}  # calls of the operating system; never for optimizers, which are pure
FACE = {"__init__", "errors", "trial", "options", "study"}  # what any user may name
MAY_SEE = {  # room, a folder or a file at the top: the rooms that it may import from
    "errors": set(),
    "_arguments": {"errors"},
    "_text": set(),
    "_signals": set(),
    "_files": {"errors", "_signals"},
    "trial": {"errors", "study"},
    "options": GROUND | {"session"},
    "space": GROUND,
    "optimizers": GROUND | {"space"},
    "store": GROUND | SYSTEM | {"options", "trial"},
    "analysis": GROUND | SYSTEM | {"trial", "space", "store", "study"},
    "session": GROUND | SYSTEM | {"options", "trial", "space", "optimizers", "store", "analysis"},
    "study": GROUND | {"options", "trial", "space", "optimizers", "analysis", "session", "store"},
    "fork": GROUND | {"_files", "options", "space", "optimizers", "analysis", "session", "store", "study"},
    "remote": GROUND | {"options", "trial", "session", "store", "study"},
    "testing": GROUND | {"space", "optimizers"},
    "plot": FACE | {"_arguments", "analysis"},
    "report": FACE | {"_files", "_text", "space", "analysis"},
    "torch": FACE | {"store"},
    "launch": FACE | GROUND | SYSTEM,
    "__init__": FACE | {"space", "optimizers", "analysis", "fork", "launch"},
    "cli": FACE
    | {"_files", "_text", "space", "analysis", "fork", "remote", "launch", "plot", "report", "store"},
    "benchmarks": {"__init__", "plot"},
    "__main__": {"cli", "errors"},
}  # fmt: skip
INVARIANTS = {  # assertions on what only our own code can break
    ("store/journal.py", "self._fd is not None"): "the journal is open while its lock is held",
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
    """Full names of the modules that a file imports anywhere, as `hoptim.space.space` or `os.path`."""
    found = set()
    for node in nodes(name):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{name} has a relative import"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {each if each.replace(".", "/")[7:] in MODULES else node.module for each in inside}
    return found


def room(name: str) -> str:
    """The folder that a file is in, or its own name at the top."""
    return name.removesuffix(".py").split("/")[0]


def seen(name: str) -> set[str]:
    """Rooms that a file imports from, `__init__` for the public names, its own left out."""
    parts = [module.split(".") for module in imported(name)]
    return {[*part, "__init__"][1] for part in parts if part[0] == "hoptim"} - {room(name)}


def calls(name: str) -> set[str]:
    """Plain names that a file calls, such as `print` but not `re.compile`."""
    found = (node.func for node in nodes(name) if isinstance(node, ast.Call))
    return {func.id for func in found if isinstance(func, ast.Name)}


@pytest.mark.parametrize("name", FILES)
def test_each_room_sees_what_it_may(name):
    """Optimizers and store never import each other; only the session sees both, and no arrow points up."""
    assert seen(name) <= MAY_SEE[room(name)]


@pytest.mark.xfail(strict=True, reason="a trial that travelled still imports its study")
def test_there_are_no_circles():
    """No module is imported, through whatever others, by one that it imports itself."""
    known = {
        "hoptim." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in FILES
    }
    arrows = {
        "hoptim." + name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): imported(name)
        & known
        for name in FILES
    }
    order = graphlib.TopologicalSorter(arrows)
    order.prepare()  # raises CycleError, with the circle


def test_the_list_of_rooms_is_whole():
    """Every folder, and every file at the top, is in the list above."""
    assert {room(name) for name in FILES} == MAY_SEE.keys()


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("cli/")])
def test_only_the_command_line_needs_its_extra(name):
    """click and rich are for the commands alone."""
    assert not {module.split(".")[0] for module in imported(name)} & {"click", "rich"}


def test_errors_import_nothing():
    """The errors can be caught anywhere, so their module imports nothing at all."""
    assert imported("errors.py") == set()


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
