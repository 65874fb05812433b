"""The list of known words: spellings are only undone to words of the list."""

from pathlib import Path

from datasets import Dataset, DatasetDict

from belowline.model.respell import words
from belowline.training.fit.network import load_base
from tests.release.words import FEWEST_TEXTS, frequent, known_words, main
from tests.support.tiny_training import write_base


def test_a_word_must_stand_in_enough_texts_however_often_in_one() -> None:
    assert frequent(["The ferry, the FERRY! ferry"] * FEWEST_TEXTS) == {"ferry"}
    assert frequent(["ferry " * 50] * (FEWEST_TEXTS - 1)) == set()


def test_what_is_no_plain_word_does_not_count() -> None:
    text = "fer-ry f3rry @ferry www.ferry user/ferry tie it's"
    assert frequent([text] * FEWEST_TEXTS) == set()


def test_the_vocabulary_and_what_people_wrote_are_known_and_nothing_generated(tmp_path: Path) -> None:
    _, tokenizer = load_base(str(write_base(tmp_path / "base")))
    texts = [("what people wrote", "toy"), ("generated praise", "generated-link-spam")] * FEWEST_TEXTS
    data = Dataset.from_list([{"text": text, "source": source} for text, source in texts])
    found = known_words(tokenizer, data)
    assert found == sorted(found)
    assert {"people", "wrote", "link"} <= set(found)  # link is in the vocabulary
    assert not {"praise", "generated"} & set(found)
    assert not [word for word in found if not word.isalpha() or not word.islower()]
    DatasetDict({"train": data}).save_to_disk(str(tmp_path / "run" / "data"))
    main(tmp_path / "run", str(tmp_path / "base"), tmp_path / "words.txt")
    assert (tmp_path / "words.txt").read_text("utf-8").split() == found


def test_the_shipped_list_knows_plain_words_and_insults_and_no_disguise() -> None:
    assert {"society", "idiot", "moron", "money"} <= words()
    assert not {"1d10t", "idi", "idiiot"} & words()
