"""Options and commands of the language studies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import ClassVar

from hoptim.benchmarks.run_options import path_to
from hoptim.benchmarks.studies.scales import SCALES
from hoptim.benchmarks.studies.study_options import StudyOptions
from hoptim.benchmarks.studies.study_report import study_benchmark
from hoptim.benchmarks.studies.text import Limits, Text, king_james, own_text, standard_text
from hoptim.benchmarks.studies.training import PopulationTraining

_STANDARD = {"ptb": "ptb.{}.txt", "wikitext103": "wiki.{}.tokens"}  # names of the three files
_PAPER = "--scale paper has 16 layers and 24 million parameters."


@dataclass(frozen=True)
class LanguageOptions(StudyOptions):
    """The number of runs, the methods, and the text.

    Args:
        data: File with text, or folder of files `*.txt`. Default: None, the King James text that comes with
            hoptim.
    """

    data: Path | None = field(
        default=None,
        metadata=path_to(
            "text in UTF-8, or a folder of files *.txt, instead of the King James text", "PATH"
        ),
    )

    text: ClassVar[str] = "language"

    @property
    def training(self) -> Callable[[int], PopulationTraining]:
        """Return the function of a size that makes a population to train; it can be pickled."""
        return partial(_language, self.text, self.data, self.scale)


@dataclass(frozen=True)
class StandardOptions(LanguageOptions):
    """The options of a study on a standard data set.

    Args:
        data: Folder of the three files. Default: None, the working directory.
    """

    data: Path | None = field(
        default=None, metadata=path_to("folder of the three files; the working directory by default")
    )


@dataclass(frozen=True)
class TreebankOptions(StandardOptions):
    """The options of the study on the Penn Treebank."""

    text = "ptb"


@dataclass(frozen=True)
class WikitextOptions(StandardOptions):
    """The options of the study on Wikitext-103."""

    text = "wikitext103"


LANGUAGE = study_benchmark(
    LanguageOptions,
    name="language",
    summary="a small Transformer-XL on text (needs PyTorch)",
    description="Trains populations of small Transformer-XLs with each method, which tunes four dropouts "
    f"and the weight decay, and compares the perplexities of what they deliver. {_PAPER}",
)
TREEBANK = study_benchmark(
    TreebankOptions,
    name="ptb",
    summary="the language study on the Penn Treebank",
    description="Runs the language study on ptb.train.txt, ptb.valid.txt and ptb.test.txt. With --scale "
    "small it reads their first 4,000, 6,000 and 18,000 words and knows 500 different ones, so that "
    "perplexities are not those of the literature. " + _PAPER,
)
WIKITEXT = study_benchmark(
    WikitextOptions,
    name="wikitext103",
    summary="the language study on Wikitext-103",
    description="Runs the language study on wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens. "
    "With --scale small it reads their first 4,000, 6,000 and 18,000 words and knows 500 different ones, "
    "with --scale paper 10,000, so that perplexities are not those of the literature. " + _PAPER,
)


def _language(text: str, data: Path | None, scale: str, size: int) -> PopulationTraining:
    from hoptim.benchmarks.studies.language import TRAININGS  # needs torch

    return TRAININGS[text](size, _text(text, data, SCALES[scale].limits), SCALES[scale])


@cache
def _text(text: str, data: Path | None, limits: Limits) -> Text:
    if text in _STANDARD:
        return standard_text(data or Path(), _STANDARD[text], limits)
    return king_james(limits) if data is None else own_text(data, limits)
