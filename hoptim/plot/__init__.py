"""Pictures of a study, drawn while it runs or afterwards; changes nothing and blocks no worker.

Each function reads the study once and returns a matplotlib `Figure` that belongs to no window: resize
it with `figure.set_size_inches(4, 3)`, write it with `save`, or show it in a notebook as the last
line of a cell.

>>> import hoptim, hoptim.plot
>>> space = {"x": hoptim.Float(0.0, 1.0)}
>>> study = hoptim.Study(None, space=space, size=4, steps=10, mode="min")
>>> for trial in study:
...     trial.tell((trial.params["x"] - 0.3) ** 2)
>>> figure = hoptim.plot.hyperparameters(study)
>>> figure.axes[0].get_title()
'x'
"""

from __future__ import annotations

from collections.abc import Callable

import hoptim

try:
    from matplotlib.figure import Figure
except ImportError as error:
    raise hoptim.MissingExtra.of("Pictures need matplotlib, which is not installed", "plot") from error

from hoptim.plot.compare import compare
from hoptim.plot.curves import step_sizes, values
from hoptim.plot.exploits import exploits
from hoptim.plot.importance import importance
from hoptim.plot.overview import overview
from hoptim.plot.parallel import parallel_coordinates
from hoptim.plot.picture import check_format, save
from hoptim.plot.schedules import hyperparameters
from hoptim.plot.tree import family_tree

PLOTS: dict[str, Callable[..., Figure]] = {
    "hyperparameters": hyperparameters,
    "family-tree": family_tree,
    "values": values,
    "step-sizes": step_sizes,
    "parallel-coordinates": parallel_coordinates,
    "importance": importance,
    "exploits": exploits,
    "overview": overview,
}

__all__ = [
    "PLOTS",
    "Figure",
    "check_format",
    "compare",
    "exploits",
    "family_tree",
    "hyperparameters",
    "importance",
    "overview",
    "parallel_coordinates",
    "save",
    "step_sizes",
    "values",
]
