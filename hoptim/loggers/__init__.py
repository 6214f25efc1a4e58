"""Curves of a study in other tools, written from its journal: no killed worker leaves a gap.

A logger writes one run for each member and one for the winner's line. `follow` reads the journal beside the
workers, or afterwards, and may be killed and started again at any point. Needs an extra: `tensorboard`,
`mlflow` or `wandb`.
"""

from hoptim.loggers.follower import follow
from hoptim.loggers.logger import Logger
from hoptim.loggers.mlflow import MLflowLogger
from hoptim.loggers.tensorboard import TensorBoardLogger
from hoptim.loggers.wandb import WandbLogger

__all__ = ["Logger", "MLflowLogger", "TensorBoardLogger", "WandbLogger", "follow"]
