"""Generated examples: link spam of the kinds that the corpora lack, and its honest twin, a reader's own link to a source.

Money offers and shop templates are this project's own. Praise spam is spun from ``constructs.txt`` of the WordPress comment blacklist
(templates collected from real spam), and shop words come from its ``blacklist.txt``. Half of the spam is disguised.
"""

import random
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from belowline.data.example import HARMLESS, Example, digest, known
from belowline.training.augment import disguised, hearts

_SPIN = re.compile(r"\{([^{}]*)\}")
_SPAM = known(**HARMLESS, spam=1.0, on_topic=0.0)
_OWN_LINK = known(spam=0.0)

_MONEY = (
    "{Google|Amazon|Facebook|A big company} is {now |}paying ${sum} per {hour|day} {with weekly payouts|for working from home|to work online}. {You can also avail this|Anyone can join|Everybody can do this}.",
    "I {get|got} paid {over |more than |}${sum} per hour {working|doing easy work} from home. {I never thought I could do it|I was surprised at first} but my {best friend|neighbour|sister-in-law} {earns|makes} ${big} a month doing this.",
    "{My|my} {roomate's|friend's|co-worker's} {step-mother|half-sister|aunt} makes ${sum} {hourly|an hour} on the {internet|laptop|computer}. She has been {fired|laid off|out of work} for {five|eight|six} months but last month her {pay|check|income} was ${big} just working {a few hours|part time}.",
    "{On tuesday|Last week|Yesterday} I {got|bought} {a brand new|a gorgeous|a top of the range} {Land Rover|BMW|Audi|Ferrari} from having earned ${big} this last {four weeks|month}. {It sounds unbelievable|It is the most comfortable job I have ever done} but you wont forgive yourself if you {do not|don't} check it!",
    "{Start|Begin} {earning|making} ${sum} {daily|every day} {online|at home}! {No skills needed|No experience|Simple copy and paste job}. {Visit|Open|Check out|Follow} {the details|this site|my page}",
    "{Invest|Trade} with {Mrs|Mr|Expert} {Anna Keller|Brian Wood|Linda Moss} and {turn|grow} ${sum} into ${big} in {seven|five} days. {Bitcoin|Crypto|Forex} {profits|returns} guaranteed, {contact|message} {him|her} on {WhatsApp|Telegram} +1{num}",
    "{I lost|We had lost} all {my|our} {bitcoin|savings} to a fake {broker|platform} until {a recovery expert|these wallet hackers} {got it back|recovered everything} within {two days|24 hours}. {Contact|Write to} recovery{num}@{mail|inbox}.example",
    "{Free|Claim your free|Get a free} {airdrop|gift card|iPhone|spins} {now|today}! {Limited|First 500 users} {only|}, {connect your wallet at|register at|click}",
)
_SHOPS = (
    "{Buy|Order|Get} {cheap|discount|original|best} {term} {online|without prescription|with free shipping} {here|now}",
    "{Best|Top} {term} {2024|deals|reviews} - {visit|see} our {store|shop|website}",
    "{Hello|Hi} {everybody|friends|}, {look at|check} my {page|web-site|homepage} about {term} {thanks|}",
    "{term}, {term}, {term} {lowest price|100% satisfaction|best quality}",
    "{Check out|Subscribe to|Please visit} my {new |}{channel|video|page} {about|on|for} {term}, {I post every day|new videos weekly|thanks for support}!",
)
_TAILS = ("", "", " {url}", " {url}", " >>> {url}", "... {url} ...", " {Click here|More info|Details}: {url}")
_SOURCES = (
    "{See|Source:|Here is the report:|The figures are here:|For the full text see}",
    "{This is discussed in|More on this at|The original study:|I read it at}",
)
_HOSTS = (
    "quick-cash",
    "homejobs",
    "work4you",
    "best-shop",
    "netpay",
    "richclub",
    "mega-pills",
    "crypto-gain",
    "deal",
)
_PAPERS = (
    "news.example.org",
    "www.example.com/archive",
    "stats.example.gov",
    "en.wikipedia.org/wiki",
    "www.reuters.com/article",
)


def spin(template: str, rng: random.Random) -> str:
    """``{a|b}`` → one of its parts, from the inside out."""
    while _SPIN.search(template):
        template = _SPIN.sub(partial(_choice, rng), template)
    return template


def _choice(rng: random.Random, match: re.Match[str]) -> str:
    return rng.choice(match.group(1).split("|"))


def link_spam(count: int, material: Path, rng: random.Random) -> Iterator[Example]:
    """``count`` examples of link spam, half of them disguised; ``material`` is the folder of the WordPress comment blacklist."""
    terms = [line for line in (material / "blacklist.txt").read_text("utf-8").splitlines() if _readable(line)]
    praise = _praise(material / "constructs.txt")
    for number in range(count):
        text = _spam(terms, praise, rng)
        if rng.random() < 0.5:
            text = disguised(text, rng)
        if rng.random() < 0.2:
            text = hearts(text, rng)
        yield Example(text, _SPAM, "generated-link-spam", str(number), digest(text), split="train")


def _readable(term: str) -> bool:
    return term.isascii() and term.replace(" ", "").isalpha() and 5 <= len(term) <= 24


def _praise(path: Path) -> list[str]:
    """The top-level templates of the file: they are divided by a bar at the end of a line."""
    text = re.sub(r"\s*\n\s*", " ", re.sub(r"\|\s*\n", "\0", path.read_text("utf-8")))
    return [part for part in text.split("\0") if part.count("{") == part.count("}") and len(part) < 1500]


def _spam(terms: Sequence[str], praise: Sequence[str], rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        template = " ".join(rng.sample(_MONEY, k=rng.choice((1, 1, 2))))
    elif kind < 0.7:
        template = rng.choice(_SHOPS)
    else:
        template = rng.choice(praise)
    text = template + rng.choice(_TAILS[2:] if kind < 0.7 else _TAILS)
    for slot, value in (
        ("{sum}", lambda: str(rng.choice((15, 47, 65, 85, 87, 97, 120, 200, 350)))),
        ("{big}", lambda: str(rng.randrange(1500, 29000))),
        ("{num}", lambda: str(rng.randrange(100, 9999999))),
        ("{term}", lambda: rng.choice(terms)),
        ("{url}", lambda: _address(rng)),
    ):
        while slot in text:
            text = text.replace(slot, value(), 1)
    return spin(text, rng)


def _address(rng: random.Random) -> str:
    host = f"{rng.choice(_HOSTS)}{rng.choice(('', str(rng.randrange(99))))}.example"
    scheme = rng.choice(("http://", "https://www.", "www.", ""))
    return f"{scheme}{host}{rng.choice(('', '/earn', '/hourly/now', '/?ref=77', '/offer'))}"


def own_links(count: int, comments: Sequence[Example], rng: random.Random) -> Iterator[Example]:
    """``count`` real comments from ``comments`` with a link to a source added: what a careful reader does is not spam."""
    for number, example in enumerate(rng.sample(comments, k=min(count, len(comments)))):
        address = f"https://{rng.choice(_PAPERS)}/{rng.choice(('report', 'item', 'p'))}-{rng.randrange(9999)}"
        text = f"{example.text} {spin(rng.choice(_SOURCES), rng)} {address}"
        yield Example(text, _OWN_LINK, "generated-own-links", str(number), digest(text), split="train")
