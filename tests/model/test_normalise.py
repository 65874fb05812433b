"""Obfuscated text is restored, plain text is unchanged, and every span maps back to its source."""

import re
import time
import unicodedata
from itertools import chain

import pytest
from confusable_homoglyphs.confusables import confusables_data
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.model import normalise

PIECES = (
    "#", "id", "1d10t", "ot", "3", "0", "!", "stuuu", "pid", "~", "hell",
    "a", "o", "B", "ho", "u", "r", "link", "aaaa", "!!!!", "7", "$", "@", "-", ".", "·", "•", "|", "_", "*", "'", '"', "<", " ", "\n", "\t",
    "https://", "WWW.", "www.", "/x", "?y", "\u200b", "\u0301", "\u0316", "\u200d", "\ufe0f", "\xad", "\x07", "\x85", "\u2028",
    "😂", "👍🏽", "❤️", "♥", "#️⃣", "🇩", "🇪", "\U0001f3f4", "\U000e0067", "ð", "Ÿ", "˜", "‚", "â", "€", "™", "©",
    "й", "а", "е", "р", "Ａ", "ﬁ", "𝐀", "①", "ﷺ", "ŉ", "ſ", "İ", "ı", "½", "…", "’", "“", "«", "—", "\ud83d", "\ude02",
    "\u202e", "\u202d", "\u202c", "\u2066", "\u2069", "א", "🅰", "🅻", "⒜", "⍺", "×", "(",
)  # fmt: skip
"""Characters that the steps act on, so that random texts trigger the steps and their interactions."""

pieced = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
texts = st.one_of(pieced, st.text(st.characters(), max_size=40))


def plain(text: str) -> str:
    """Return the normalised text with single spaces."""
    return " ".join(normalise(text).text.split())


# --- properties ---


@given(texts)
@settings(max_examples=400, deadline=None)
def test_a_second_time_changes_nothing(text: str) -> None:
    once = normalise(text).text
    assert normalise(once).text == once


@given(texts)
@settings(max_examples=400, deadline=None)
def test_every_character_leads_back_inside_the_original_and_in_order(text: str) -> None:
    normalised = normalise(text)
    last = (0, 0)
    for position in range(len(normalised.text)):
        start, end = normalised.original_span(position, position + 1)
        assert 0 <= start < end <= len(text)
        assert start >= last[0]
        assert end >= last[1]
        last = (start, end)


@given(texts, st.data())
@settings(max_examples=200, deadline=None)
def test_a_span_covers_what_its_ends_cover(text: str, data: st.DataObject) -> None:
    normalised = normalise(text)
    length = len(normalised.text)
    if length == 0:
        return
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    first, _ = normalised.original_span(start, start + 1)
    _, last = normalised.original_span(end - 1, end)
    assert normalised.original_span(start, end) == (first, last)


words = st.lists(st.text("bcdfghklmprstw", min_size=2, max_size=9), min_size=1, max_size=8).map(
    lambda found: " ".join(word for word in found if len(set(word)) == len(word))
)


@given(words, st.data())
def test_plain_prose_is_returned_as_it_is(text: str, data: st.DataObject) -> None:
    normalised = normalise(f"The {text}, and so on.")
    assert normalised.text == f"The {text}, and so on."
    assert normalised.steps == ()
    start = data.draw(st.integers(0, len(normalised.text) - 1))
    end = data.draw(st.integers(start + 1, len(normalised.text)))
    assert normalised.original_span(start, end) == (start, end)


@given(words, pieced, words)
@settings(deadline=None)
def test_what_no_step_touched_leads_back_to_itself(before: str, middle: str, after: str) -> None:
    text = f"START {before} ; {middle} ;\n{after} FINISH"  # an open override reverses the rest of its line
    normalised = normalise(text)
    for word in ("START", "FINISH"):
        start = normalised.text.index(word)
        first, last = normalised.original_span(start, start + len(word))
        assert text[first:last] == word


# --- obfuscation that is undone ---


@pytest.mark.parametrize(
    ("disguised", "meant"),
    [
        ("make $97 per ho-u-r", "make $97 per hour"),
        ("Y-o-u get pa-y-outs", "You get payouts"),
        ("al-s-o", "also"),
        ("an i.d.i.o.t here", "an idiot here"),
        ("i_d_i_o_t", "idiot"),
        ("i*d*i*o*t", "idiot"),
        ("such an i d i o t", "such an idiot"),
        ("$tupid lo$er", "stupid loser"),
        ("h@te", "hate"),
        ("i\u200bd\u200bi\u200bo\u200bt", "idiot"),
        ("i·d·i·o·t", "idiot"),
        ("i\u2014d\u2014i\u2014o\u2014t", "idiot"),
        ("zero\u200bwidth", "zerowidth"),
        ("soft\xadhyphen", "softhyphen"),
        ("bell\x07ringer", "bellringer"),
        ("\u202etoidi na era uoy\u202c, he said", "you are an idiot, he said"),
        ("so \u202e(toidi)", "so (idiot)"),
        ("\u202etoidi\nan idiot", "idiot an idiot"),
        ("\u202eloof \u202dan idiot\u202c dna", "and an idiot fool"),
        ("\u202e\u202etoidi", "idiot"),
        ("\u202e\u05d0\u05d1\u202c", "\u05d0\u05d1"),  # already reads from the right
        ("\u202a\u2066plain\u2069\u202c", "plain"),
        ("🅻🅾🆂🅴🆁 🅛🅞🅢🅔🅡", "loser loser"),
        ("l🅾ser, 🅱ecause", "loser, because"),
        ("🅻 🅾 🆂 🅴 🆁", "loser"),
        ("\u24a7\u24aa\u249c\u24a9", "loan"),
        ("blood type 🅰", "blood type a button blood type"),
        ("l\u237aughs, \u212easy, \u222app", "laughs, easy, upp"),
        ("p\u0430yp\u0430l", "paypal"),
        ("\u0410pple", "Apple"),
        ("don\xe2\u20ac\u2122t", "don't"),
        ("\xf0\u0178\u02dc\u201a well", "face with tears of joy well"),
        ("ＦＲＥＥ ｍｏｎｅｙ", "FREE money"),
        ("𝐛𝐨𝐥𝐝 ⓒⓘⓡⓒⓛⓔ", "bold circle"),
        ("“quoted” – it’s", '"quoted" - it\'s'),
        ("see https://www.shop.example/a?b=1#c now", "see link shop.example now"),
        ("www.shop.example/offer", "link shop.example"),
        ("http://WWW.WWW.shop.example", "link shop.example"),
        ("@bob_x you said", "@user you said"),
        ("soooooo goooood", "soo good"),  # too short to restore, and long enough
        ("what!!!!!!!!", "what!!!"),
        ("nice\u2665l\u2665\u2665z\u2665\u2665e\u2665\u2665x\u2665e\u2665", "nice heart suit"),
        ("half \ud83d pair", "half pair"),
        ("a l/o/a/n now", "a loan now"),
        ("l~o~a~n", "loan"),
        ("[l][o][a][n] (d)(e)(a)(l)(s)", "loan deals"),
        ("a ʟᴏᴀɴ ꜱᴛᴏʀᴇ", "a loan store"),
        ("such a 1d10t", "such a idiot"),
        ("H3llo m0ron, g00d pa$$word", "Hello moron, good password"),
        ("id!ot!", "idiot!"),
        ("idi-ot mon.ey soci*ety", "idiot money society"),
        ("stuuupid, coooool gooood", "stupid, cool good"),
        ("soci\u0435\u0442y", "society"),
        ("#make#money#at#home now", "make money at home now"),
        ("toidi na era uoy", "you are an idiot"),
        ("fine so far\n.sloof lla era yeht", "fine so far they are all fools."),
        ("Ew era lla toidi sdrawkcab!", "wE are all idiot backwards!"),
        ("\U0001f1f1\u2009\U0001f1f4\u2009\U0001f1e6\u2009\U0001f1f3 here", "loan here"),
    ],
)
def test_disguises(disguised: str, meant: str) -> None:
    assert plain(disguised) == meant


def mapped() -> dict[str, set[str]]:
    """Each non-ASCII character that Unicode maps to Latin letters, with those letters.

    The mapping is by compatibility, by name, or as a confusable.
    """
    found: dict[str, set[str]] = {}
    for code in chain(range(0x80, 0xD800), range(0xE000, 0x110000)):
        character = chr(code)
        compatible = unicodedata.normalize("NFKC", character)
        named = NAMED.fullmatch(unicodedata.name(character, ""))
        alike = {other["c"].lower() for other in confusables_data.get(character, ()) if LATIN(other["c"])}
        if LATIN(compatible):
            found[character] = {compatible.lower()}
        elif named:
            found[character] = {named.group(1).lower()}
        elif alike and not compatible.isascii():  # a mathematical digit is a digit
            found[character] = alike
    return found


NAMED = re.compile(
    r"(?:(?:[A-Z]+ )*LATIN (?:CAPITAL |SMALL )?LETTER (?:SMALL CAPITAL )?|REGIONAL INDICATOR SYMBOL LETTER )([A-Z])"
)
LATIN = re.compile("[a-zA-Z]").fullmatch


def test_every_character_that_unicode_maps_to_a_latin_letter_is_read_as_it() -> None:
    seen, wrong = 0, {}
    for character, letters in mapped().items():
        # Letters above others are decorative accents, and tags are invisible.
        if unicodedata.category(character) in ("Mn", "Cf"):
            continue
        seen += 1
        text = normalise(f"wz{character}qb").text.lower()
        if text not in {f"wz{letter}qb" for letter in letters}:
            wrong[character] = text
    assert seen > 1400
    assert wrong == {}


@pytest.mark.parametrize(
    "text",
    [
        "vis-a-vis", "state-of-the-art", "jack-o-lantern", "rock-n-roll", "mother-in-law", "e-mail", "T-72", "B-52", "re-do", "up-to-date",
        "U.S. policy", "Ph.D. at 9 a.m.", "e.g. this", "plans A B C", "I am", "me@home.com", "$5", "3.5", "1-2-3", "and so on...", "www",
        "www is short for it", "O'Neil", "C++ & C#", "news.example.com", "a/b", "10:30", "a/b/c",
        "mp3 h1n1 covid19 14th 4chan f150 b2b 1080p win10", "co-operate cray-cray wi-fi Coca-Cola", "zzz hmmm", "$100 yes! lol!!",
        "see #news and #weather", "C#major, F#m, No.#12",
        "ton, rof and lla are typos", "siht is won", "the lla of them saw ton of it", "eht nam",
        "section 5(a)(b)(c)(d)", "<b>text</b>", "Привет, мир", "אני כאן", "这个城市", "naïve café",
        "Straße", "ಸಾಮ್ರಾಜ್ಯ", "বাংলায়", "הַמְּנֻצָּח",
    ],
)  # fmt: skip
def test_what_must_not_change(text: str) -> None:
    assert normalise(text).text == text


def test_an_emoji_is_named_so_that_pairs_differ() -> None:
    assert plain("you 👍") == "you thumbs up"
    assert plain("you 👎") == "you thumbs down"
    assert plain("👍🏽") == "thumbs up medium skin tone"
    assert plain("🇩🇪") != plain("🇫🇷")
    assert plain("🐷") != plain("🐶")


def test_a_row_of_one_emoji_is_named_twice() -> None:
    assert plain("ha " + "😂" * 9) == "ha face with tears of joy face with tears of joy"
    assert plain("🐷🐶") == "pig face dog face"


def test_steps_feed_each_other() -> None:
    assert plain("i\u200b-\u200bd-i-o-t") == "idiot"  # invisible characters first, then the hyphens
    assert plain("ｉ－ｄ－ｉ－ｏ－ｔ") == "idiot"


def test_long_hosts_are_cut() -> None:
    assert plain("http://" + "abc." * 100) == "link " + ("abc." * 100)[:60]


# --- spans in the original text ---


@pytest.mark.parametrize(
    ("original", "word", "source"),
    [
        ("pay per ho-u-r now", "hour", "ho-u-r"),
        ("pay per ho-u-r now", "now", "now"),
        ("ok 👎 and out", "thumbs", "👎"),
        ("ok 👎 and out", "out", "out"),
        ("zero\u200bwidth end", "zerowidth", "zero\u200bwidth"),
        ("zero\u200bwidth end", "end", "end"),
        ("see https://www.a.example/x there", "a.example", "https://www.a.example/x"),
        ("see https://www.a.example/x there", "there", "there"),
        ("so i\u200b-d-i-o-t he", "idiot", "i\u200b-d-i-o-t"),
        ("so i\u200b-d-i-o-t he", "he", "he"),
        ("ＦＲＥＥ money", "money", "money"),
    ],
)
def test_spans_lead_back(original: str, word: str, source: str) -> None:
    normalised = normalise(original)
    start = normalised.text.index(word)
    first, last = normalised.original_span(start, start + len(word))
    assert original[first:last] == source


# --- hostile text ---


@pytest.mark.parametrize(
    "text",
    [
        "ab" * 10_000 + " é",
        "é" + "\u0301\u0316" * 10_000,
        "é" + "\u0316\u0301" * 10_000,
        "♥" * 20_000,
        "♥a" * 10_000,
        "a-" * 10_000,
        "a*b*c-d-" * 2_500,
        "a " * 10_000,
        "www." * 5_000,
        "â€™" * 7_000,
        "\ud83d" * 20_000,
        "1\ufe0f\u20e3" * 7_000,
        "a1" * 10_000,
        "1a!" * 7_000,
        "aaab" * 5_000,
        "aab-" * 5_000,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_no_text_takes_quadratic_time(text: str) -> None:
    begin = time.process_time()
    normalise(text)
    assert time.process_time() - begin < 3  # a tenth of a second; quadratic versions took half a minute


@pytest.mark.parametrize(
    "prefix", ["http://" + "WWW." * 30, "http://" + "-www." * 30, "http://x." + "www." * 30]
)
def test_no_host_yields_another_link(prefix: str) -> None:
    once = normalise(prefix + "shop.example").text
    assert once.count("link") == 1
    assert normalise(once).text == once


def test_of_a_tower_of_accents_the_letter_is_still_read() -> None:
    assert normalise("ａ" + "\u0301" * 100).text.startswith("a")
    assert normalise("ｅ\u0301").text == "é"
