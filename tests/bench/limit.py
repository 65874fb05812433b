"""Share of the machine's int8 rate that the Scorer reaches on the model's matrix products, and time by step."""

import time
from collections.abc import Sequence
from typing import Any

from belowline.model import ScoreInput, Scorer
from belowline.model.language import language_of
from belowline.model.normalise import normalise
from belowline.model.windows import windows_of
from tests.bench.figures import Figure, figure, group, ratio
from tests.bench.products import ROWS, Limit, Products, operations, products_of
from tests.bench.rounds import Setup, Step, alternate, cores, loaded, rate

GOPS = "GOP/s"
LIMIT, RUN, WHOLE = "limit: the products alone", "session.run alone", "Scorer.score as a whole"


def run(setup: Setup, step: Step) -> dict[str, Any]:
    """The limit and the Scorer, on the same texts in the same run."""
    step("reading the graph")
    threads, rounds = cores(), setup.pick(5, 1)
    texts, source = setup.texts(setup.pick(512, 6))
    scorer, products = loaded(setup.model), products_of(setup.model / "model.onnx")
    limit = Limit(products.int8, threads, setup.pick(6e10, 1e8))
    windows = sorted(_windows(scorer, texts), key=len, reverse=True)
    tokens = sum(map(len, windows))
    found = alternate(
        {
            LIMIT: limit.rate,
            RUN: lambda: rate(lambda: list(scorer._pool.map(scorer._run, windows)), tokens),
            WHOLE: lambda: rate(lambda: _afresh(scorer, texts), tokens),
        },
        rounds,
        step,
    )
    step("where the time goes")
    pieces = _pieces(scorer, texts, min(rounds, 3))
    return {
        "title": "The limit, and how near the Scorer comes to it",
        "about": _about(products, len(texts), source, tokens, threads),
        "groups": [
            *_groups(found, operations(products.int8), len(texts) / tokens),
            _shapes(limit, products),
        ],
        "bars": [{"title": "Where the time of a comment goes, on one thread", "pieces": pieces}],
    }


def _groups(found: dict[str, list[float]], each: int, comments: float) -> list[dict[str, Any]]:
    """Return the tables from tokens per second to the share of the limit.

    ``each`` is operations per token, ``comments`` is comments per token.
    """
    achieved = {name: [each * one for one in found[name]] for name in (RUN, WHOLE)}
    speeds = {LIMIT: found[LIMIT], **achieved}
    rates = {
        f"{name}, {what}": figure([one * factor for one in found[name]], f"{what}/s")
        for name in (RUN, WHOLE)
        for what, factor in (("tokens", 1), ("comments", comments))
    }
    shares = {name: ratio(values, found[LIMIT], "%") for name, values in achieved.items()}
    return [
        group("Operations a second", {n: figure([one / 1e9 for one in v], GOPS) for n, v in speeds.items()}),
        group("Share of the limit, round by round", shares),
        group("Texts a second", rates),
    ]


def _shapes(limit: Limit, products: Products) -> dict[str, Any]:
    rows = {
        f"{shape[0]} × {shape[1]}, {times} times a token": figure(
            [one / 1e9 for one in limit.by_shape[shape]], GOPS
        )
        for shape, times in sorted(products.int8.items())
    }
    return group("The products alone, by shape, in the same rounds", rows)


def _about(products: Products, texts: int, source: str, tokens: int, threads: int) -> list[str]:
    plain = operations(products.fp32)
    return [
        f"{texts} comments of {source}, {tokens / texts:.0f} tokens on average, the cache emptied before each round; {threads} threads "
        f"throughout. One token takes {operations(products.int8) / 1e6:.2f} million int8 operations (2·K·N for each weight that it meets)"
        + (f"; {plain / 1e6:.2f} million more in fp32 are not counted." if plain else "."),
        f"The limit is that of onnxruntime's DynamicQuantizeMatMul with weights of the same shapes, scales per channel and {ROWS} rows, in "
        f"{threads} threads that share nothing: all operations of a token by the time that they take. What stands between the products "
        "(attention, norms, activations, the heads of a text) is no part of it.",
    ]


def _windows(scorer: Scorer, texts: Sequence[str]) -> list[list[int]]:
    read = (windows_of(scorer.tokenizer, normalise(text).text, scorer.config.window) for text in texts)
    return [ids for windows in read for ids in windows.ids]


def _afresh(scorer: Scorer, texts: Sequence[str]) -> None:
    scorer.forget()
    scorer.score([ScoreInput(text) for text in texts])


def _pieces(scorer: Scorer, texts: Sequence[str], rounds: int) -> dict[str, Figure]:
    """Milliseconds per comment of each step, in processing order."""
    spent = [_piece_seconds(scorer, texts) for _ in range(rounds)]
    return {name: figure([1000 * one[name] / len(texts) for one in spent], "ms") for name in spent[0]}


def _piece_seconds(scorer: Scorer, texts: Sequence[str]) -> dict[str, float]:
    clock = time.perf_counter
    at = [clock()]
    plain = [normalise(text) for text in texts]
    at.append(clock())
    windows = [windows_of(scorer.tokenizer, one.text, scorer.config.window) for one in plain]
    at.append(clock())
    for one in windows:
        for ids in one.ids:
            scorer._run(ids)
    at.append(clock())
    for text in texts:
        language_of(text)
    at.append(clock())
    for text in texts:
        scorer._read_one(text, normalise(text))
    at.append(clock())
    names = ("normalise", "tokenise and cut into windows", "run the network", "language")
    told = {name: after - before for name, before, after in zip(names, at, at[1:], strict=False)}
    return told | {"all else": max(0.0, at[5] - at[4] - sum(told.values()))}
