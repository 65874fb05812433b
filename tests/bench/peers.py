"""Comments per second of the Scorer and its peers: same texts, same run, all cores."""

from collections.abc import Callable, Sequence
from typing import Any

from belowline.model import ScoreInput
from tests.bench.figures import figure, group, ratios
from tests.bench.networks import detoxify_run, pipeline_run, stock_run, use_all_cores
from tests.bench.rounds import Setup, Step, alternate, cores, loaded, rate

OURS = "belowline Scorer"
SIZES = (1, 2, 4, 8, 16, 32, 64)
_LIST = 32


def run(setup: Setup, step: Step) -> dict[str, Any]:
    """Rates, and the ratio of our rate to each peer's."""
    step("loading the peers")
    use_all_cores()
    texts, source = setup.texts(setup.pick(64, 4))
    scorer = loaded(setup.model)
    runs: dict[str, Callable[[], object]] = {
        OURS: lambda: (scorer.forget(), scorer.score([ScoreInput(text) for text in texts]))
    }
    searched = {}
    for kind in ("original", "original-small"):
        detoxify = detoxify_run(kind)
        found = best_size(detoxify, texts, setup, lambda told, kind=kind: step(f"Detoxify {kind}: {told}"))
        searched[kind] = found
        best = max(found, key=found.__getitem__)
        for name, size in ((f"in lists of {_LIST}", _LIST), (f"at its best, lists of {best}", best)):
            runs[f"Detoxify {kind}, {name}"] = lambda detoxify=detoxify, size=size: detoxify(texts, size)
    runs["Hugging Face pipeline, our weights in fp32"] = _of(pipeline_run(setup.model), texts)
    step("exporting the stock graph")
    runs["onnxruntime, stock int8 export"] = _of(stock_run(setup.model), texts)
    rates = _rates(runs, len(texts), setup, step)
    return {
        "title": "Peers",
        "about": _about(len(texts), source),
        "groups": [
            group("Comments a second", {name: figure(values, "/s") for name, values in rates.items()}),
            group("The Scorer is faster by, round by round", ratios(rates, OURS)),
            *(
                group(
                    f"Detoxify {kind}: the search for its best size of lists, on as many texts as one list needs",
                    {f"lists of {size}": figure([one], "/s") for size, one in found.items()},
                )
                for kind, found in searched.items()
            ),
        ],
    }


def _of(run: Callable[[Sequence[str]], object], texts: Sequence[str]) -> Callable[[], object]:
    return lambda: run(texts)


def _rates(
    runs: dict[str, Callable[[], object]], count: int, setup: Setup, step: Step
) -> dict[str, list[float]]:
    """Rates of interleaved rounds; a fast peer repeats the texts for at least two seconds."""
    for name, one in runs.items():
        step(f"warming up {name}")
        if "Detoxify" not in name:  # already called by the search
            one()
    least = setup.pick(2.0, 0.0)
    measured = {name: lambda one=one: rate(one, count, least) for name, one in runs.items()}
    return alternate(measured, setup.pick(3, 1), step)


def best_size(
    detoxify: Callable[[Sequence[str], int], object], texts: Sequence[str], setup: Setup, step: Step
) -> dict[int, float]:
    """Comments per second by list size, on 16 texts or one whole list if that is larger."""
    found = {}
    detoxify(texts[:2], 2)  # the very first call includes one-time work
    for size in setup.pick(SIZES, (1, 2)):
        step(f"lists of {size}")
        some = texts[:: max(1, len(texts) // max(16, size))]
        found[size] = rate(lambda some=some, size=size: detoxify(some, size), len(some))
    return found


def _about(count: int, source: str) -> list[str]:
    return [
        f"{count} comments of {source}, the same for all, rounds by turns (every other one backwards), {cores()} threads for each. "
        "A peer is given lists in the order of the texts, as its own documentation does it, and cuts what is longer than 512 tokens; the "
        "Scorer reads all of it.",
        "Detoxify runs with random weights of the right sizes behind its own predict (bert-base for original; albert-base for "
        "original-small, with the word pieces of bert in place of its own), and the pipeline with a random head: they are timed, not "
        "judged. The stock export is the same network with an attention mask and free batch, quantised with the defaults of "
        "quantize_dynamic.",
    ]
