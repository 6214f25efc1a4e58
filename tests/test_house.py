"""The house rules that a reader of the code relies on, read from the code itself."""

import ast
import doctest
import functools
import graphlib
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hoptim
from hoptim import _public

PACKAGE = Path(hoptim.__file__).parent
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {name.removesuffix(".py") for name in FILES}
GROUND = {"errors", "_arguments", "_html", "_paths", "_text"}
SYSTEM = {"_files", "_signals"}  # calls of the operating system; never for optimizers, which are pure
FACE = {"__init__", "errors", "trial", "options", "start", "stopping", "study"}  # what any user may name
MAY_SEE = {  # room, a folder or a file at the top: the rooms that it may import from, all above it
    "_text": set(),
    "_html": {"_text"},
    "_log": {"_text"},
    "errors": {"_text"},
    "_arguments": {"errors", "_text"},
    "_paths": {"errors", "_text"},
    "_signals": set(),
    "_files": {"errors", "_signals"},
    "_reads": set(),
    "_in_force": GROUND,
    "trial": GROUND | {"_in_force", "_reads"},
    "start": GROUND,
    "stopping": GROUND,
    "options": GROUND | {"stopping", "trial"},
    "space": GROUND,
    "optimizers": GROUND | {"space"},
    "analysis": GROUND | {"_files", "trial", "stopping", "space"},
    "store": GROUND | SYSTEM | {"trial", "options", "start", "stopping"},
    "session": GROUND | SYSTEM | {
        "_reads", "trial", "options", "start", "stopping", "space", "optimizers", "analysis", "store",
    },
    "study": GROUND | {
        "trial", "options", "start", "stopping", "space", "optimizers", "analysis", "session", "store",
    },
    "copying": GROUND | {"options", "session", "store", "study"},
    "forking": GROUND | {
        "_files", "options", "space", "optimizers", "session", "store", "study", "copying",
    },
    "reevaluation": GROUND | {"trial", "analysis", "session", "store", "study"},
    "remote": GROUND | {"_files", "trial", "options", "session", "store", "study"},
    "testing": GROUND | {"space", "optimizers", "store"},
    "launch": FACE | GROUND | SYSTEM,
    "_public": FACE - {"__init__"} | {
        "space", "optimizers", "analysis", "session", "copying", "forking", "reevaluation", "launch",
    },
    "__init__": {"_log", "_public"},
    "plot": FACE | GROUND | {"analysis"},
    "report": FACE | GROUND | {"_files", "analysis"},
    "dashboard": FACE | GROUND | {"analysis", "store", "report"},
    "torch": FACE | {"_reads"},
    "loggers": FACE | GROUND | {"_files", "analysis", "session"},
    "cli": FACE | GROUND | {
        "_files", "space", "analysis", "store", "copying", "forking", "remote", "launch", "plot", "report",
        "loggers", "dashboard",
    },
    "benchmarks": {"__init__", "plot"},
    "__main__": {"cli", "errors"},
}  # fmt: skip
INVARIANTS = {  # assertions on what only our own code can break
    ("store/journal.py", "self._held is not None"): "the journal is open while its lock is held",
    ("store/postgres/journal.py", "self._hold is not None"): "`append` is for within a hold",
}
UNSAFE = {  # modules that execute or open what they are given
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "importlib", "runpy", "code",
    "socket", "socketserver", "ssl", "http", "urllib", "ftplib", "smtplib", "xmlrpc", "asyncio", "requests",
}  # fmt: skip
MODELS = {"optimizers/_gaussian_process.py"}  # use scipy
SERVERS = {"dashboard/server.py"}  # listen on this machine alone
PICKLES = {"testing/optimizer.py", "session/exported.py"}  # find out whether something pickles; no load


STANDARD = {
    "_replace",
    "_asdict",
    "_make",
    "_fields",
    "_hold",
}  # of named tuples, public though they do not look it


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


@functools.cache  # each file is asked for once for every other of its room
def private_names(name: str, context: type[ast.expr_context]) -> set[str]:
    """Attributes with one leading underscore that a file reads, or defines in any way."""
    found = set()
    for node in nodes(name):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, context):
            found.add(node.attr)
        elif context is ast.Store:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)  # as in __slots__ and object.__setattr__
    return {each for each in found if each.startswith("_") and not each.startswith("__")}


def called_attributes(name: str) -> set[str]:
    """Attributes that a file calls, such as `compile` of `re.compile`."""
    found = (node.func for node in nodes(name) if isinstance(node, ast.Call))
    return {func.attr for func in found if isinstance(func, ast.Attribute)}


def calls(name: str) -> set[str]:
    """Plain names that a file calls, such as `print` but not `re.compile`."""
    found = (node.func for node in nodes(name) if isinstance(node, ast.Call))
    return {func.id for func in found if isinstance(func, ast.Name)}


@pytest.mark.parametrize("name", FILES)
def test_each_room_sees_what_it_may(name):
    """Optimizers and store never import each other; only the session sees both, and no arrow points up."""
    assert seen(name) <= MAY_SEE[room(name)]


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


def test_the_list_of_rooms_is_whole_and_in_order():
    """Every folder, and every file at the top, is in the list above, below all that it sees."""
    assert {room(name) for name in FILES} == MAY_SEE.keys()
    order = list(MAY_SEE)
    upward = {(a, b) for a, seen in MAY_SEE.items() for b in seen if order.index(b) > order.index(a)}
    assert upward == {("launch", "__init__")}  # `hoptim.run`; a worker opens the study as a user does


@pytest.mark.parametrize("name", FILES)
def test_private_names_stay_in_their_room(name):
    """No file reads a private attribute that no class or module of its own room has."""
    own = {path for path in FILES if room(path) == room(name)}
    defined = {found for path in own for found in private_names(path, ast.Store)}
    assert private_names(name, ast.Load) - defined <= STANDARD


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("cli/")])
def test_only_the_command_line_needs_its_extra(name):
    """click and rich are for the commands alone."""
    assert not {module.split(".")[0] for module in imported(name)} & {"click", "rich"}


def test_errors_import_next_to_nothing():
    """The errors can be caught anywhere, so their module imports only how text is made safe to print."""
    assert imported("errors.py") == {"hoptim._text"}
    assert imported("_text.py") == {"__future__", "math"}


@pytest.mark.parametrize("name", FILES)
def test_scipy_is_for_benchmarks_and_models(name):
    """Only benchmarks and the model of PB2 need scipy, so other training scripts never wait for it."""
    tops = {module.split(".")[0] for module in imported(name)}
    assert "scipy" not in tops or name.startswith("benchmarks/") or name in MODELS


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_import_scipy_where_it_is_used(name):
    """Who imports hoptim may not come to use it."""
    top = ast.parse(FILES[name].read_text()).body
    modules = {node.module for node in top if isinstance(node, ast.ImportFrom)}
    assert not any(str(module).startswith("scipy") for module in modules)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_executed_or_fetched(name):
    """No file imports pickle, network or import machinery, or calls eval, exec or compile."""
    tops = {module.split(".")[0] for module in imported(name) if module != "urllib.parse"}  # cuts text
    allowed = {"pickle": PICKLES, "socket": SERVERS}
    assert {each for each in tops & UNSAFE if name not in allowed.get(each, ())} == set()
    assert "loads" not in called_attributes(name) or "pickle" not in tops
    assert not calls(name) & {"eval", "exec", "compile", "__import__"}
    assert "allow_pickle" not in {node.arg for node in nodes(name) if isinstance(node, ast.keyword)}


@pytest.mark.parametrize("name", [name for name in FILES if room(name) != "testing"])
def test_assertions_are_listed_invariants(name):
    """`python -O` drops assertions, so none checks what a user gave; the few left have a reason."""
    found = {(name, ast.unparse(node.test)) for node in nodes(name) if isinstance(node, ast.Assert)}
    assert found == {invariant for invariant in INVARIANTS if invariant[0] == name}


def test_public_names_are_all_and_sorted():
    """`__all__` is what can be imported from the package, in order: constants, classes, functions."""
    public = [n for n, v in vars(_public).items() if not n.startswith("_") and not inspect.ismodule(v)]
    assert hoptim.__all__ == sorted(public, key=lambda n: (not n.isupper(), n[0].islower(), n))


@pytest.mark.parametrize("name", hoptim.__all__)
def test_public_names_say_what_they_are(name):
    """Each public name has a docstring of its own whose first line is a sentence."""
    first = (getattr(hoptim, name).__doc__ or "").strip().splitlines()[0]
    assert first.endswith((".", ":"))


def loaded(code: str) -> list[str]:
    """The modules that a new interpreter has loaded after some code, which says nothing."""
    code = f"import sys; before = set(sys.modules); {code}; print(*sys.modules.keys() - before)"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, cwd=PACKAGE.parent, check=False,
    )  # fmt: skip
    assert ran.stderr == ""
    return ran.stdout.split()


def test_importing_alone_loads_next_to_nothing():
    """`import hoptim` waits for no package, not even numpy, and for none of its own modules but the log."""
    found = loaded("import hoptim")
    assert {name for name in found if name.startswith("hoptim.")} == {"hoptim._log", "hoptim._text"}
    assert {name.split(".")[0] for name in found} - sys.stdlib_module_names == {"hoptim"}


def test_a_study_takes_no_slow_or_optional_package():
    """A training script loads numpy, and neither another package nor slow parts of the library."""
    found = loaded("import hoptim; hoptim.Study")
    assert {name.split(".")[0] for name in found} - sys.stdlib_module_names == {"hoptim", "numpy"}
    assert {"multiprocessing", "subprocess", "csv", "socket", "http"} & set(found) == set()


def test_the_names_of_the_package_are_listed():
    """A shell completes the public names and the version though they are loaded when used."""
    assert {*hoptim.__all__, "__version__", "__all__"} <= set(dir(hoptim))
    with pytest.raises(AttributeError, match="module 'hoptim' has no attribute 'stduy'"):
        hoptim.stduy  # noqa: B018


@pytest.mark.parametrize("name", [name for name, path in FILES.items() if ">>> " in path.read_text()])
def test_examples_in_docstrings_run(name):
    """Each example in a docstring prints what it says, without a warning."""
    module = importlib.import_module(".".join(["hoptim", *name.removesuffix(".py").split("/")]))
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
