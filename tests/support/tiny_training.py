"""Miniatures for training tests: corpora of invented mild sentences in real formats, and a random two-layer encoder."""

import csv
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.tiny_model import tiny_tokenizer

_THINGS = ("report", "budget", "bridge", "song", "vote", "road", "school", "match")
FINE = (
    "I think the {} is sound because the figures add up",
    "The {} was discussed last year too",
    "Good point about the {}",
)
SPAM = (
    "Earn money at home, visit my {} channel",
    "Cheap {} offer, click the link now",
    "Subscribe to my {} page for free cash",
)
RUDE = (
    "You are a silly fool about the {}",
    "What a daft thing to say on the {}",
    "Only a fool likes the {}",
)


def write_corpora(root: Path, seed: int = 3) -> Path:
    """youtube-spam, civil-sample and sms-spam with a few dozen rows each."""
    rng = random.Random(seed)
    for folder in ("youtube-spam", "civil-sample", "sms-spam"):
        (root / folder).mkdir(parents=True)
    number = 0
    for video in ("Youtube01-Psy", "Youtube02-KatyPerry", "Youtube03-LMFAO", "Youtube04-Eminem"):
        rows = []
        for spam in (0, 1) * 40:  # enough of both kinds for a threshold, see calibrate._FEWEST_HELD
            number += 1
            rows.append((f"id{number}", "", _sentence(SPAM if spam else FINE, rng, number), spam))
        _write(root / "youtube-spam" / f"{video}.csv", ("COMMENT_ID", "DATE", "CONTENT", "CLASS"), rows)
    scores = []
    for rude in (0, 1) * 60:
        number += 1
        scores.append((_sentence(RUDE if rude else FINE, rng, number), rude * 0.9, 0, 0, 0, rude * 0.8, 0, 0))
    header = (
        "text",
        "toxicity",
        "severe_toxicity",
        "obscene",
        "threat",
        "insult",
        "identity_attack",
        "sexual_explicit",
    )
    _write(root / "civil-sample" / "scores.csv", header, scores)
    binary = [
        (_sentence(RUDE if n % 3 == 0 else FINE, rng, n + 900), "toxic" if n % 3 == 0 else "not toxic")
        for n in range(90)
    ]
    _write(root / "civil-sample" / "binary.csv", ("example", "label"), binary)
    lines = [
        f"{'spam' if n % 2 else 'ham'}\t{_sentence(SPAM if n % 2 else FINE, rng, n + 2000)}"
        for n in range(90)
    ]
    (root / "sms-spam" / "SMSSpamCollection").write_text("\n".join(["Label\tSMS", *lines]) + "\n", "utf-8")
    return root


def sentences(kinds: tuple[tuple[str, ...], ...], count: int) -> list[str]:
    """Return texts of the kinds in turn."""
    rng = random.Random(5)
    return [_sentence(kinds[number % len(kinds)], rng, number) for number in range(count)]


def _sentence(templates: tuple[str, ...], rng: random.Random, number: int) -> str:
    return f"{rng.choice(templates).format(rng.choice(_THINGS))}, no {number}."


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def write_decisions(path: Path, count: int = 60, verdicts: tuple[bool, ...] = (True, False)) -> Path:
    """Write a site's decisions on ``count`` comments, every third drawn at random.

    ``verdicts``, in turn, state which comments are spam.
    """
    from belowline.data.decisions import Counts, Decided, Header

    rng, decided = random.Random(4), []
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    for number in range(count):
        spam, drawn = verdicts[number % len(verdicts)], number % 3 == 0
        given: dict[str, Any] = {
            **{
                "row": f"herald:{number}",
                "site": "herald",
                "split_key": f"herald {number}",
                "origin": "moderator",
            },
            "text": _sentence(SPAM if spam else FINE, rng, number + 5000),
            "labels": {"spam": 1.0} if spam else {"spam": 0.0, "hate": 0.0, "toxicity": 0.0},
            **{
                "decision": "reject" if spam else "publish",
                "code": None,
                "overturned": False,
                "blind": False,
            },
            **{"article": None, "parent": None, "sampled": "random" if drawn else "picked"},
            **{"weight": 20.0 if drawn else 1.0, "decided_at": at, "model": None, "scores": {}},
        }
        decided.append(Decided(**given))
    header = Header(
        **{"exported_at": at, "belowline": "0", "site": None, "since": None, "until": None},
        **{"counts": Counts(examples=count), "guidelines": "", "erasure": ""},
    )
    path.write_text("".join(line.model_dump_json() + "\n" for line in (header, *decided)), "utf-8")
    return path


def write_base(folder: Path) -> Path:
    """Write a random BERT with 32 hidden units and its tokenizer, in the format of ``from_pretrained``."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    content = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 128, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(content), "utf-8")
    return folder


def write_mpnet(folder: Path) -> Path:
    """Write a random MPNet with 32 hidden units and three layers.

    Positions start after the padding index; the layers share one position bias.
    """
    import torch
    from transformers import MPNetConfig, MPNetModel

    torch.manual_seed(0)
    plain = json.loads(tiny_tokenizer().to_str())
    known = [piece for piece in plain["model"]["vocab"] if piece not in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")]
    pieces = ["<s>", "<pad>", "</s>", "[UNK]", *known, "<mask>"]
    config = MPNetConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=130,
    )
    MPNetModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), "utf-8")
    content = {"tokenizer_class": "MPNetTokenizer", "do_lower_case": True, "model_max_length": 128}
    (folder / "tokenizer_config.json").write_text(json.dumps(content), "utf-8")
    return folder


def write_recipe(path: Path, base: Path, **changes: object) -> Path:
    """Write a recipe that trains within seconds."""
    top = {
        "name": "miniature",
        "version": "0.0.2",
        "base": str(base),
        "seed": 5,
        "max_tokens": 64,
        "overlap_tokens": 16,
        "hold_precision": 0.6,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in (top | changes).items()]
    lines += ["[mix]", "youtube-spam = 1.0", "civil-sample = 1.5", "sms-spam = 1.0"]
    lines += [
        "[fit]",
        "passes = 3.0",
        "tokens_per_batch = 512",
        "learning_rate = 3e-3",
        "head_learning_rate = 1e-2",
        "checkpoint_minutes = 0.003",
    ]
    lines += ["[augment]", "disguise = 0.1"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
