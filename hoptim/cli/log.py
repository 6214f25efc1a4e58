"""`hoptim log`: a run's curves in another tool, written from the journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hoptim._text import printable
from hoptim.analysis.names import name_of
from hoptim.cli import options

if TYPE_CHECKING:
    from hoptim.loggers.logger import Logger


@click.command()
@options.place
@click.option(
    "--to", "tool", type=click.Choice(["tensorboard", "mlflow", "wandb"]), required=True,
    help="Tool to log to.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=options.FOLDER, metavar="FOLDER",
    help="Folder for the curves, and for how far they go. Default: the name of DIR and the tool.",
)  # fmt: skip
@options.every
def log(place: options.Place, tool: str, output: Path | None, every: float) -> None:
    """Write a run's curves for another tool, as it goes on.

    It reads the journal, so it may run beside the workers or afterwards, and may be killed and run again:
    nothing is left out or written twice. It ends with the run. One process at a time writes to a folder.
    """
    from hoptim.loggers import follow

    study = options.opened(place)
    target = Path(f"{name_of(str(place))}-{tool}") if output is None else output
    logger = _LOGGERS[tool](target)
    click.echo(printable(str(target)))
    follow(study, logger, every)


def _tensorboard(folder: Path) -> Logger:
    from hoptim.loggers import TensorBoardLogger

    return TensorBoardLogger(folder)


def _mlflow(folder: Path) -> Logger:
    from hoptim.loggers import MLflowLogger

    return MLflowLogger(folder)


def _wandb(folder: Path) -> Logger:
    from hoptim.loggers import WandbLogger

    return WandbLogger(folder)


_LOGGERS: dict[str, Callable[[Path], Logger]] = {
    "tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb,
}  # fmt: skip
