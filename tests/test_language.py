"""Which language a comment is said to be in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.model.language import language_of

ENGLISH = "The council has put off its decision on the bridge until the autumn."
GERMAN = "Der Stadtrat hat seine Entscheidung über die Brücke auf den Herbst verschoben."
FRENCH = "Le conseil municipal a repoussé sa décision sur le pont jusqu'à l'automne."
ARABIC = (
    "قررت بلدية المدينة تأجيل مشروع الجسر الجديد إلى الخريف القادم لأن التكاليف ارتفعت كثيرا هذا العام. "
    "وأعتقد أن هذا القرار صحيح لأن سكان الحي لم تتم استشارتهم قبل بدء العمل في المشروع."
)


@pytest.mark.parametrize(
    ("text", "language"), [(ENGLISH, "en"), (GERMAN, "de"), (FRENCH, "fr"), (ARABIC, "ar")]
)
def test_sentences(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "Gut so",
        "So true!",
        "Bonjour à tous",
        "😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂",
        "12345678901234567890123456",
        "\x00\x01",
    ],
)
def test_too_little_to_tell(text: str) -> None:
    assert language_of(text) == "und"


def test_fifteen_letters_are_too_few_and_twenty_seven_enough() -> None:
    assert language_of("This is what we all") == "und"
    assert language_of("This is what we all thought of it") == "en"


def test_the_greater_part_of_a_mixed_text_decides() -> None:
    assert language_of(f"{GERMAN} {GERMAN} {GERMAN} Well done!") == "de"
    assert language_of(f"{ENGLISH} {ENGLISH} {ENGLISH} Sehr gut!") == "en"


def test_emoji_and_links_do_not_hide_a_language() -> None:
    assert language_of(f"😂😂😂 {ENGLISH} 👍") == "en"


@given(st.text(st.characters()))
def test_any_text_gets_a_code(text: str) -> None:
    code = language_of(text)
    assert code == "und" or (len(code) == 2 and code.islower())


def test_a_lone_surrogate_is_passed_over() -> None:
    assert language_of(f"\ud83d {ENGLISH} \ude00") == "en"
