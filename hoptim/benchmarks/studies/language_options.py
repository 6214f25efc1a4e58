"""Options and command of the language study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from hoptim.benchmarks.studies import text
from hoptim.benchmarks.studies.study_options import StudyOptions
from hoptim.benchmarks.studies.study_report import study_benchmark
from hoptim.benchmarks.studies.training import PopulationTraining

if TYPE_CHECKING:
    from hoptim.benchmarks.studies.text import Text

_VOCABULARY = 500


@dataclass(frozen=True)
class LanguageOptions(StudyOptions):
    """The number of runs, the methods and the text.

    Args:
        data: File with text, or folder of files `*.txt`. Default: None, the King James text that comes with
            hoptim.
    """

    data: Path | None = field(
        default=None,
        metadata={
            "type": Path, "metavar": "PATH",
            "help": "text in UTF-8, or a folder of files *.txt, instead of the King James text",
        },
    )  # fmt: skip

    @property
    def training(self) -> Callable[[int], PopulationTraining]:
        """Return the function of a size that makes a population to train; it can be pickled."""
        return partial(_language, self.data)


LANGUAGE = study_benchmark(
    LanguageOptions,
    name="language",
    summary="a small Transformer-XL on text (needs PyTorch)",
    description="Trains populations of small Transformer-XLs, and compares by perplexity what methods reach "
    "that tune four dropouts and the weight decay.",
)


def _language(data: Path | None, size: int) -> PopulationTraining:
    from hoptim.benchmarks.studies.language import LanguageTraining  # needs torch

    return LanguageTraining(size, _text(data))


@cache
def _text(data: Path | None) -> Text:
    return text.king_james(_VOCABULARY) if data is None else text.own_text(data, _VOCABULARY)
