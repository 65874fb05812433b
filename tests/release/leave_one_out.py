"""Spam under unseen videos: each video of ``youtube-spam`` is left out in turn and a small model trained on the rest.

Near-duplicates are frequent within a video, so a model that saw some of its comments cannot be measured on others.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, DatasetDict, concatenate_datasets
from rich.console import Console

from belowline.training.dataset.mix import build
from belowline.training.files import write_text
from belowline.training.fit.batches import Encoder, rows_of
from belowline.training.fit.fit import fit
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.fit.weights import load_model
from belowline.training.measure.intervals import Bools, Floats
from belowline.training.recipes.recipe import Recipe, load_recipe
from tests.release.bootstrap import Array, Measurement, bootstrapped, missing
from tests.release.label_figures import auc

_CORPUS = "youtube-spam"
_FILE = "predictions.json"
_BATCH = 64

Statistic = Callable[[Bools, Floats], float]
Predictions = dict[str, tuple[Floats, Floats]]
"""Targets [n] and spam probabilities [n] of a video's comments, by video."""


def videos_recipe() -> Recipe:
    """The recipe that is trained for each video, ``leave-one-video.toml`` beside this file."""
    return load_recipe(Path(__file__).with_name("leave-one-video.toml"))


def leave_one_out(recipe: Recipe, corpora: Path, folder: Path, console: Console) -> Predictions:
    """Train once without each video, predict the video left out, and write the predictions to ``folder``.

    Models are written below ``folder``. Videos with a trained model are skipped. Raises CorpusError for missing
    corpora, RunError when ``folder`` belongs to another recipe.
    """
    whole = folder / "data"
    if not whole.is_dir():
        console.print(f"mixing corpora from {corpora}")
        _save(build(recipe, corpora), whole)
    data = RunDirectory(folder).data()
    found: Predictions = {}
    for video in _videos(data):
        run = folder / video
        if not (run / "data").is_dir():
            _save(without(data, video), run / "data")
        console.print(f"without {video}")
        model = fit(recipe, corpora, run, console)
        found[video] = _predicted(model, RunDirectory(run).data()["test"], recipe)
    _write(found, folder / _FILE)
    return found


def _save(data: DatasetDict, folder: Path) -> None:
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    data.save_to_disk(str(part))
    part.rename(folder)


def _videos(data: DatasetDict) -> list[str]:
    pairs = (zip(split["source"], split["slice"], strict=True) for split in data.values())
    return sorted({video for split in pairs for source, video in split if source == _CORPUS})


def without(data: DatasetDict, video: str) -> DatasetDict:
    """Return ``data`` with the comments under ``video`` as test split, and those under other videos as train split."""
    every = concatenate_datasets(list(data.values()))
    splits = [name for name, split in data.items() for _ in range(len(split))]
    rows = list(zip(splits, every["source"], every["slice"], strict=True))
    out = [index for index, (_, source, name) in enumerate(rows) if source == _CORPUS and name == video]
    train = [
        index
        for index, (split, source, name) in enumerate(rows)
        if (source == _CORPUS and name != video) or (source != _CORPUS and split == "train")
    ]
    return DatasetDict({"train": every.select(train), "test": every.select(out)})


def _predicted(model_folder: Path, test: Dataset, recipe: Recipe) -> tuple[Floats, Floats]:
    """Return targets [n] and uncalibrated probabilities [n] of spam."""
    model, tokenizer = load_model(model_folder)
    encoder, column = Encoder(tokenizer, recipe), recipe.labels.index("spam")
    logits = []
    for start in range(0, len(test), _BATCH):
        batch = encoder.batch(rows_of(test, range(start, min(start + _BATCH, len(test)))))
        with torch.inference_mode():
            logits.append(model(batch.input_ids, batch.attention_mask).logits[:, column])
    target = np.array([labels[column] for labels in test["labels"]], dtype=np.float64)
    return target, torch.sigmoid(torch.cat(logits)).numpy().astype(np.float64)


def _write(found: Predictions, path: Path) -> None:
    content = {
        video: {"spam": target.tolist(), "probability": probability.round(6).tolist()}
        for video, (target, probability) in found.items()
    }
    write_text(path, json.dumps(content) + "\n")


def read_predictions(folder: Path) -> Predictions:
    """Return the last result of ``leave_one_out`` in ``folder``; empty if it never ran."""
    path = folder / _FILE
    if not path.is_file():
        return {}
    content = json.loads(path.read_text("utf-8"))
    return {
        video: (np.array(given["spam"]), np.array(given["probability"])) for video, given in content.items()
    }


def video_figures(found: Predictions) -> tuple[Measurement, Measurement]:
    """Return accuracy (at 0.5) and AUC, each the mean over the videos."""
    if not found:
        return (missing("not measured; `--videos` trains four small models for it"),) * 2
    truth, probability = (np.concatenate(column) for column in zip(*found.values(), strict=True))
    videos = np.concatenate([np.full(len(target), video) for video, (target, _) in found.items()])
    return (
        _mean_over_videos(_accuracy, truth >= 0.5, probability, videos),
        _mean_over_videos(auc, truth >= 0.5, probability, videos),
    )


def _mean_over_videos(statistic: Statistic, truth: Bools, probability: Floats, videos: Array) -> Measurement:
    def by_video(truth: Bools, probability: Floats, videos: Array) -> dict[str, float]:
        masks = {str(video): videos == video for video in np.unique(videos)}
        return {video: statistic(truth[mask], probability[mask]) for video, mask in masks.items()}

    each = ", ".join(f"{video} {value:.3f}" for video, value in by_video(truth, probability, videos).items())
    return bootstrapped(
        lambda *columns: float(np.mean(list(by_video(*columns).values()))),
        *(truth, probability, videos),
        note=f"mean of {each}",
    )


def _accuracy(truth: Bools, probability: Floats) -> float:
    return float(np.mean(truth == (probability >= 0.5)))
