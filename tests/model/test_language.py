"""Detected language of a comment."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.data.corpora import read_corpus
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
    ("text", "language"),
    [
        ("Да", "ru"),
        ("Это неправда", "ru"),
        ("Хто за це заплатить у нашому місті?", "uk"),
        ("לא נכון", "he"),
        ("שלום 😂", "he"),
        ("لا", "ar"),
        ("شكرا على المقال", "ar"),
        ("این پل کی باز می‌شود؟ هیچ کس نمی‌داند", "fa"),
        ("谢谢", "zh"),
        ("这是真的", "zh"),
        ("食べる", "ja"),
        ("カフェ", "ja"),
        ("橋はいつ開くのですか", "ja"),
        ("감사합니다", "ko"),
        ("ㅋㅋㅋㅋ", "ko"),
        ("Ευχαριστώ", "el"),
        ("धन्यवाद", "hi"),
        ("ขอบคุณ", "th"),
        ("မြန်မာ", "my"),
    ],
)
def test_a_script_tells_in_few_letters(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Das ist doch Unsinn", "de"),
        ("Wer soll das bezahlen?", "de"),
        ("Merci pour cet article", "fr"),
        ("Ce n'est pas vrai du tout, monsieur", "fr"),
        ("Estoy de acuerdo", "es"),
        ("La culpa es de todos nosotros", "es"),
        ("This is wrong", "en"),
    ],
)
def test_short_sentences_in_latin_letters_are_told_where_they_are_plain(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "lol",
        "So true!",
        "Well said, sir",
        "Gut so",
        "Benjamin Netanyahu",
        "Recep Tayyip Erdogan",
        "Björk Guðmundsdóttir",
        "Aleppo Idlib Hama Homs",
        "hahaha haha hahahaha",
        "😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂😂",
        "👍🏽🇩🇪#️⃣",
        "¯\\_(ツ)_/¯",
        "(ノಠ益ಠ)ノ彡┻━┻",
        "щ（ﾟДﾟщ）",
        "( ͡° ͜ʖ ͡°)",
        "π r²",
        "12345678901234567890123456",
        "https://www.example.com/x",
        "\x00\x01",
        "\ud83d",
    ],
)
def test_too_little_to_tell(text: str) -> None:
    assert language_of(text) == "und"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I was in Москва last year", "und"),
        (f"{ENGLISH} PSY, 강남스타일", "en"),
        ("Я согласен. I agree.", "ru"),
        ("שלום עולם friends", "he"),
        ("Cеrtаinly nоt truе аt аll", "und"),  # Cyrillic look-alikes: the model reads them as Latin
    ],
)
def test_more_than_a_third_in_another_script_decides(text: str, language: str) -> None:
    assert language_of(text) == language


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


def test_short_english_comments_are_not_taken_for_foreign(corpora: Path) -> None:
    """One of these 1,569 comments is in German; no other may be detected as foreign."""
    texts = {
        example.text.strip()
        for name in ("cat", "toxic-spans")
        for example in read_corpus(name, corpora)
        if len(example.text.split()) <= 5
    }
    foreign = [text for text in texts if language_of(text) not in ("en", "und")]
    assert len(texts) > 1500
    assert len(foreign) <= 1
