"""The training loop: batches to the end of the plan or of patience, with checkpoints from which it resumes exactly."""

import math
import random
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from datasets import DatasetDict
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from belowline.training.errors import RunError
from belowline.training.fit.ask_teacher import answers
from belowline.training.fit.batches import Batch, Draw, Encoder, draws_of_epoch, plan, rows_of
from belowline.training.fit.checkpoint import load_checkpoint, save_checkpoint
from belowline.training.fit.losses import cosine_loss, fill_missing_targets, masked_loss
from belowline.training.fit.network import LABEL_HEADS, CommentModel, Outputs, mean_pool
from belowline.training.fit.training_log import TrainingLog
from belowline.training.fit.validation import early_stopping_score, validate, validation_rows
from belowline.training.recipes.recipe import Recipe

_PROGRESS_SECONDS = 60.0
"""Seconds between lines of progress in a log."""
_STATEFUL = ("model", "optimizer", "schedule")

_Module = TypeVar("_Module", bound=nn.Module)


@dataclass
class _State:
    """Counters and losses that a checkpoint holds beside weights."""

    pass_number: int = 0
    batch: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    since_best: int = 0
    stopped: bool = False


@dataclass(slots=True)
class Network:
    """The network to train, and what it is trained from.

    Attributes:
        adopted: Weights taken over from the start, by parameter name; empty for a student that lacks layers of it.
        start: The network before training, at whose probabilities unknown labels are held.
    """

    model: CommentModel  # the network
    base: PreTrainedModel  # the unchanged base, whose embeddings are held
    tokenizer: PreTrainedTokenizerBase  # the base's tokenizer
    adopted: dict[str, Tensor]
    start: CommentModel | None = None
    teacher: CommentModel | None = None  # the start, from which a student is distilled
    teacher_run: Path | None = None  # folder of another network that a student is distilled from


class Trainer:
    """The training loop and its state."""

    def __init__(
        self,
        network: Network,
        data: DatasetDict,
        recipe: Recipe,
        run: Path,
        console: Console,
        accelerator: Accelerator,
        *,
        bf16: bool,
    ) -> None:
        self.bf16, self.accelerator = bf16, accelerator
        self.data, self.recipe, self.run, self.console = data["train"], recipe, run, console
        self.model = network.model.to(accelerator.device)
        # The same, or averaging gradients over processes.
        self.network = accelerator.prepare_model(self.model)
        self.base = frozen(network.base, accelerator.device)
        self.start = None if network.start is None else frozen(network.start, accelerator.device)
        self.encoder = Encoder(network.tokenizer, recipe)
        self.optimizer = torch.optim.AdamW(_groups(self.model, recipe), fused=True)
        console.print("planning batches")
        self._plan_all()
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        if network.teacher_run is not None:
            self._ask(network.teacher_run)
        self.validation_rows = (
            validation_rows(data["validation"], recipe) if recipe.fit.evaluate_every else []
        )
        self.state = _State()
        self.best: dict[str, Tensor] | None = None

    def _plan_all(self) -> None:
        passes = self.data["passes"]
        whole = max(1, -(-int(self.recipe.fit.passes * 1000) // 1000))
        self.draws = [draws_of_epoch(passes, self.recipe, number) for number in range(whole)]
        plain = self.encoder.lengths(self.data["text"])
        self.plans = [self._plan(number, plain) for number in range(whole)]
        self.total = sum(map(len, self.plans))

    def _plan(self, number: int, plain: list[int]) -> list[list[int]]:
        lengths = self.encoder.lengths_of_draws(self.data, plain, self.draws[number])
        batches = plan(lengths, self.recipe, number)
        share = min(1.0, self.recipe.fit.passes - number)
        return batches[: max(1, round(share * len(batches)))]

    def _ask(self, teacher: Path) -> None:
        """Read every text of the plan with the network in ``teacher`` once, for the targets of all batches."""
        with self.accelerator.main_process_first():
            self.encoder.teacher = answers(
                teacher, self._texts(), self.run, self.recipe, self.console, bf16=self.bf16
            )

    def _texts(self) -> Iterator[str]:
        columns = self.data.select_columns(["text", "labels", "source"])
        for draws, batches in zip(self.draws, self.plans, strict=True):
            for batch in batches:
                chosen = [draws[at] for at in batch]
                rows = rows_of(columns, [draw.index for draw in chosen])
                for row, draw in zip(rows, chosen, strict=True):
                    yield self.encoder.taught_text(row, draw.seed)

    def _rate(self, step: int) -> float:
        warmup = max(1, round(self.recipe.fit.warmup * self.total))
        if step < warmup:
            return (step + 1) / warmup
        return max(0.0, (self.total - step) / max(1, self.total - warmup))

    def train(self) -> None:
        """Train from the last checkpoint to the end, or until nothing improves; the best measured weights are kept."""
        self._resume()
        done = sum(map(len, self.plans[: self.state.pass_number])) + self.state.batch
        journal = TrainingLog(self.run, done) if self.accelerator.is_main_process else None
        self.model.train()
        started = printed = time.monotonic()
        with _progress(self.console) as progress:
            task = progress.add_task("fit", total=self.total, completed=done)
            for step in self._steps(done, journal):
                progress.update(task, completed=step + 1, description=self._described())
                if not self.console.is_terminal and time.monotonic() - printed > _PROGRESS_SECONDS:
                    printed = time.monotonic()
                    self._print_progress(step, done, started)
        if journal is not None:
            journal.close()
        if self.best is not None:
            self.model.load_state_dict(self.best)

    def _print_progress(self, step: int, done: int, began: float) -> None:
        """Print progress with the time left, for logs, where a progress bar shows nothing."""
        seconds = time.monotonic() - began
        left = timedelta(seconds=round(seconds / (step + 1 - done) * (self.total - step - 1)))
        self.console.print(
            f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} batch {step + 1:,} of {self.total:,}, "
            f"{seconds / (step + 1 - done):.2f} s each, {left} left, {self._described()}",
            soft_wrap=True,
        )

    def _steps(self, done: int, journal: TrainingLog | None) -> Iterator[int]:
        saved = time.monotonic()
        if self.state.stopped:
            return
        for step, (number, position, batch) in enumerate(self._prepared(), start=done):
            self._step(step, batch)
            self.state.pass_number, self.state.batch = number, position + 1
            if journal is not None and step % 50 == 0:
                journal.losses(step, float(self.schedule.get_last_lr()[0]), self.state.losses)
            self._validate(step, journal)
            if time.monotonic() - saved > self.recipe.fit.checkpoint_minutes * 60:
                self._checkpoint()
                saved = time.monotonic()
            yield step
            if self.state.stopped:
                self.console.print(f"stopped after batch {step + 1}: no improvement")
                return

    def _upcoming(self) -> Iterator[tuple[int, int, list[Draw]]]:
        for number in range(self.state.pass_number, len(self.plans)):
            first = self.state.batch if number == self.state.pass_number else 0
            for position in range(first, len(self.plans[number])):
                yield number, position, [self.draws[number][at] for at in self.plans[number][position]]

    def _prepared(self) -> Iterator[tuple[int, int, Batch]]:
        """Yield epoch, position and batch; a thread prepares the next one so that a GPU does not wait for tokens."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            waiting: deque[tuple[int, int, Future[Batch]]] = deque()
            for number, position, draws in self._upcoming():
                waiting.append((number, position, pool.submit(self._batch, draws)))
                if len(waiting) > 1:
                    number, position, batch = waiting.popleft()
                    yield number, position, batch.result()
            for number, position, batch in waiting:
                yield number, position, batch.result()

    def _batch(self, draws: list[Draw]) -> Batch:
        """Return this process's part of a batch; one with fewer texts than processes goes to all of them."""
        processes = self.accelerator.num_processes
        own = draws[self.accelerator.process_index :: processes] if len(draws) >= processes else draws
        rows = rows_of(self.data, [draw.index for draw in own])
        return self.encoder.batch(rows, [draw.seed for draw in own])

    def _step(self, step: int, batch: Batch) -> None:
        # Dropout depends on step and process only, so checkpoints need no random state.
        seed = f"{self.recipe.seed} {step} {self.accelerator.process_index}"
        torch.manual_seed(random.Random(seed).getrandbits(62))  # reproducible, not secret
        losses = self._losses(batch.to(self.accelerator.device), hold=step % self.recipe.fit.hold_every == 0)
        weighed = self._loss_weights()
        loss = torch.stack([weighed.get(name, 1.0) * value for name, value in losses.items()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        values = self.accelerator.reduce(torch.stack(list(losses.values())).detach(), reduction="mean")
        for name, now in zip(losses, values.tolist(), strict=True):
            if not math.isfinite(now):
                raise RunError(
                    f"{self.run}: the loss of {name} is not a number at batch {step + 1}; "
                    "lower learning_rate in [fit] of the recipe, and train with --force"
                )
            self.state.losses[name] = 0.98 * self.state.losses.get(name, now) + 0.02 * now

    def _mean_count(self, mine: Tensor) -> Tensor:
        """Return the divisor of this process's sum, so that the average over processes is the mean over the batch."""
        return torch.as_tensor(self.accelerator.reduce(mine.float(), reduction="mean"))

    def _loss_weights(self) -> dict[str, float]:
        """Return the weights of losses that are not 1."""
        fit, distil = self.recipe.fit, self.recipe.distil
        weights = {"evidence": fit.evidence_weight, "hold": fit.hold_weight, "start": fit.hold_start}
        if distil:
            weights |= {
                "labels": distil.verdicts,
                "probabilities": distil.probabilities,
                "taught evidence": distil.evidence,
            }
        return weights

    def _losses(self, batch: Batch, *, hold: bool) -> dict[str, Tensor]:
        ids, mask, weights = batch.input_ids, batch.attention_mask, batch.weights
        labels, evidence = batch.labels, batch.evidence
        with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            outputs = self.network(ids, mask)
            losses = {
                "labels": masked_loss(outputs.logits, labels, weights, self._mean_count),
                "evidence": masked_loss(outputs.evidence, evidence, weights, self._mean_count),
            }
            if self.encoder.teacher is not None:
                losses["probabilities"] = masked_loss(outputs.logits, batch.taught, share=self._mean_count)
                losses["taught evidence"] = masked_loss(
                    outputs.evidence, batch.taught_evidence, share=self._mean_count
                )
            if hold and self.recipe.fit.hold_weight:
                losses["hold"] = self._embedding_loss(outputs, ids, mask)
            if hold and self.start is not None:
                with torch.no_grad():
                    before = self.start(ids, mask)
                padding = (mask == 0)[..., None].expand_as(evidence)
                words = fill_missing_targets(evidence, before.evidence).masked_fill(padding, torch.nan)
                losses["start"] = masked_loss(
                    outputs.logits, fill_missing_targets(labels, before.logits), share=self._mean_count
                ) + masked_loss(outputs.evidence, words, share=self._mean_count)
        return losses

    def _embedding_loss(self, outputs: Outputs, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the distance of embeddings from those of the base: 1 - cosine, mean over texts."""
        with torch.no_grad():
            states = self.base(input_ids=ids, attention_mask=mask).last_hidden_state
        goal = mean_pool(states, mask)
        return cosine_loss(outputs.embedding, goal, torch.ones_like(mask[:, 0]), self._mean_count)

    def _validate(self, step: int, journal: TrainingLog | None) -> None:
        """Validate at the recipe's interval; keep the best weights and decide if training continues."""
        every = self.recipe.fit.evaluate_every
        if not every or ((step + 1) % every and step + 1 < self.total):
            return
        measured = validate(self.model, self.encoder, self.validation_rows, self.accelerator)
        if journal is not None:
            journal.validation(step, measured)
        score = early_stopping_score(measured, self.recipe.fit.metric)
        if self.state.best is None or score < self.state.best:
            self.state.best, self.state.since_best = score, 0
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        else:
            self.state.since_best += 1
        self.state.stopped = 0 < self.recipe.fit.patience <= self.state.since_best

    def _described(self) -> str:
        return " ".join(f"{name} {value:.3f}" for name, value in self.state.losses.items())

    def _checkpoint(self) -> None:
        if self.accelerator.is_main_process:
            parts = {name: getattr(self, name).state_dict() for name in _STATEFUL}
            save_checkpoint(self.run, {**parts, "state": vars(self.state), "best": self.best})

    def _resume(self) -> None:
        content = load_checkpoint(self.run)
        if content is not None:
            for name in _STATEFUL:
                getattr(self, name).load_state_dict(content[name])
            self.state, self.best = _State(**content["state"]), content.get("best")
            self.console.print(f"resuming at epoch {self.state.pass_number + 1}, batch {self.state.batch}")


def frozen(module: _Module, device: torch.device) -> _Module:
    """Return the module on ``device`` in evaluation mode, without gradients."""
    module.to(device).eval().requires_grad_(False)
    return module


def _groups(model: CommentModel, recipe: Recipe) -> list[dict[str, Any]]:
    """Return parameters that train, by learning rate (encoder or heads) and decay (matrices or not)."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        key = (name.startswith(LABEL_HEADS), parameter.ndim > 1)
        groups.setdefault(key, []).append(parameter)
    rates = {True: recipe.fit.head_learning_rate, False: recipe.fit.learning_rate}
    return [
        {"params": parameters, "lr": rates[head], "weight_decay": recipe.fit.weight_decay if matrix else 0.0}
        for (head, matrix), parameters in groups.items()
    ]


def _progress(console: Console) -> Progress:
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)
