"""The parts of an export that need no trained model."""

from datasets import Dataset

from belowline.model import HARMFUL
from belowline.training.export.export import evidence_channels


def test_a_label_without_marks_uses_the_channel_of_its_kind() -> None:
    spans = [{"label": label, "start": 0, "end": 3, "strength": 1.0} for label in ("hate", "toxicity")]
    few = [{"text": "you", "spans": [{**spans[0], "label": "antisemitism"}]}] * 49
    found = evidence_channels(Dataset.from_list([{"text": "you", "spans": spans}] * 50 + few), HARMFUL)
    assert {label: (evidence.channel, evidence.floor) for label, evidence in found.items()} == {
        "hate": ("hate", 0.5),
        "antisemitism": ("hate", 0.5),
        "toxicity": ("toxicity", 0.65),
    }
