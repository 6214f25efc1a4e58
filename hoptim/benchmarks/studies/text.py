"""Text as numbered words, in three parts: the King James Bible, text of one's own, standard data sets."""

from __future__ import annotations

import gzip
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hoptim

KING_JAMES = Path(__file__).parent / "texts" / "kingjames.txt.gz"
UNKNOWN, END = "<unk>", "<eos>"

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|[.,:;?!]")
_BLOCK = 1000  # words that stay together when a text is dealt out to its parts
_SHARES = (0.15, 0.2)  # of the blocks, for training and validation; the test has the rest
_FEWEST = 8  # blocks, so that each part has two at least

Words = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Text:
    """A text in three parts.

    Attributes:
        train: Words to train on, each as its rank by frequency in this part; 0 is the unknown word.
        validation: Words to choose hyperparameters by.
        test: Words that nothing is chosen by.
        vocabulary: Number of different words.
    """

    train: Words
    validation: Words
    test: Words
    vocabulary: int

    @property
    def digest(self) -> str:
        """Return a fingerprint of the words, in hexadecimal digits."""
        return sha256(
            b"".join(part.tobytes() for part in (self.train, self.validation, self.test))
        ).hexdigest()


def king_james(vocabulary: int) -> Text:
    """Return the Gospel of Matthew that comes with hoptim.

    Args:
        vocabulary: Largest number of different words.
    """
    return _dealt(gzip.decompress(KING_JAMES.read_bytes()).decode("ascii").splitlines(), vocabulary)


def own_text(path: Path, vocabulary: int) -> Text:
    """Return text files, split into lower-case words and punctuation; a line is a sentence.

    Args:
        path: File, or a folder whose files `*.txt` are read in the order of their names.
        vocabulary: Largest number of different words.

    Raises:
        ArgumentError: There is no text, too little of it, or it is not UTF-8.
    """
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not files:
        raise hoptim.ArgumentError(f"The folder {str(path)!r} has no text: expected files named *.txt.")
    return _dealt((line for file in files for line in _lines(file, any_newline=True)), vocabulary)


def standard_text(folder: Path, files: str, vocabulary: int) -> Text:
    """Return a data set of three files whose words are separated by spaces.

    Args:
        folder: Folder of the files.
        files: Name of the files with `{}` for "train", "valid" and "test", such as "ptb.{}.txt".
        vocabulary: Largest number of different words.

    Raises:
        ArgumentError: A file is missing, empty, not UTF-8, or has been changed to Windows's line ends.
    """
    index = {UNKNOWN: 0}
    parts = [
        _numbered((line.split() for line in _lines(folder / files.format(part))), index)
        for part in ("train", "valid", "test")
    ]
    return _ranked(parts, len(index), vocabulary)


def _dealt(lines: Iterable[str], vocabulary: int) -> Text:
    """Deal blocks of words out to the parts, so that all have one distribution."""
    index = {UNKNOWN: 0}
    words = _numbered((_WORD.findall(line.lower()) for line in lines), index)
    count = len(words) // _BLOCK
    if count < _FEWEST:
        raise hoptim.ArgumentError(
            f"The text must have at least {_FEWEST * _BLOCK} words, found {len(words)}: give more of it."
        )
    blocks = words[: count * _BLOCK].reshape(count, _BLOCK)[np.random.default_rng(0).permutation(count)]
    ends = np.cumsum([round(share * count) for share in _SHARES])
    return _ranked([part.ravel() for part in np.split(blocks, ends)], len(index), vocabulary)


def _numbered(lines: Iterable[list[str]], index: dict[str, int]) -> Words:
    """Return all words as numbers, each line with its end; new ones are added to the index."""
    numbers = array("q")
    for line in lines:
        if line:
            numbers.extend([index.setdefault(word, len(index)) for word in (*line, END)])
    return np.array(numbers, dtype=np.int64)


def _ranked(parts: list[Words], words: int, vocabulary: int) -> Text:
    """Number words by their frequency in the training part; those beyond the vocabulary are unknown."""
    counts = np.bincount(parts[0], minlength=words)
    counts[0] = len(parts[0])  # the unknown word is first whatever its frequency
    order = np.argsort(-counts, kind="stable")[: min(vocabulary, np.count_nonzero(counts))]
    rank = np.zeros(words, dtype=np.int64)
    rank[order] = np.arange(len(order))
    train, validation, test = (rank[part] for part in parts)
    return Text(train, validation, test, len(order))


def _lines(file: Path, any_newline: bool = False) -> Iterator[str]:
    """Yield a file's lines; errors name the byte where they are."""
    if not file.is_file():
        raise hoptim.ArgumentError(
            f"The file {str(file)!r} is missing: give the file or folder with the text."
        )
    offset, blank = 0, True
    with file.open("rb") as stream:
        for line in stream:
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise hoptim.ArgumentError(
                    f"{str(file)!r} must be UTF-8, but byte {line[error.start]:#04x} at offset "
                    f"{offset + error.start} is not: convert the file."
                ) from None
            if not any_newline and (place := line.find(b"\r")) >= 0:
                raise hoptim.ArgumentError(
                    f"{str(file)!r} must have lines that end with a newline alone, but there is a carriage "
                    f"return at offset {offset + place}: get the original file."
                )
            offset, blank = offset + len(line), blank and text.isspace()
            yield text
    if blank:
        raise hoptim.ArgumentError(f"{str(file)!r} has no words in its {offset} bytes: get the file again.")
