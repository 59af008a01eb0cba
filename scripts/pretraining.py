"""What the scripts that pretrain the tiny students share: their mixtures, tokenizer, training and saving."""

import argparse
import json
import math
import os
import platform
import random
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle OpenMP threads otherwise spin against the busy ones

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tasks.base import ProceduralTask

Pair = tuple[str, str]


class Stream:
    """Seeded draws of subskills: to be asked in words as far as ``coverage`` says, or in a terse notation.

    ``hard`` subskills are never drawn tersely, and those that are asked in words with the weight ``known``.
    """

    def __init__(
        self,
        task: ProceduralTask,
        seed: int,
        coverage: Mapping[str, Mapping[str, float]],
        hard: Collection[Pair],
        known: float,
    ) -> None:
        self.task = task
        self.rng = random.Random(seed)
        self.pairs = [(skill, subskill) for skill, subskills in coverage.items() for subskill in subskills]
        self.weights = [coverage[skill][subskill] for skill, subskill in self.pairs]
        self.terse_pairs = [pair for pair in self.task.subskill_pairs() if pair not in hard]
        self.terse_weights = [known if pair in self.pairs else 1.0 for pair in self.terse_pairs]

    def in_words(self) -> Pair:
        """A subskill to be asked in words."""
        return self.rng.choices(self.pairs, self.weights)[0]

    def tersely(self) -> Pair:
        """A subskill to be asked in the terse notation."""
        return self.rng.choices(self.terse_pairs, self.terse_weights)[0]


def code_of(skills: Mapping[str, Mapping[str, Any]], skill: str, subskill: str) -> str:
    """The opaque name of a subskill: an X and two letters, by its place."""
    places = (list(skills).index(skill), list(skills[skill]).index(subskill))
    return "X" + "".join(chr(ord("A") + place) for place in places)


def train_bpe(texts: Iterable[str], vocabulary: int, special_tokens: list[str]) -> Tokenizer:
    """A byte-level BPE with digits split one by one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special_tokens,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def train(
    model: torch.nn.Module, next_loss: Callable[[], tuple[torch.Tensor, int]], unit: str, steps: int, lr: float
) -> dict[str, float]:
    """Trains with AdamW, a short warm-up and cosine decay; returns what there is to say of it.

    ``next_loss`` gives the loss of the next batch, and how much there is in it, counted in ``unit``.
    """
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=lr, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    warmup = max(50, steps // 50)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warmup) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
    )
    start, seen, losses = time.time(), 0, []
    for step in range(1, steps + 1):
        loss, count = next_loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        seen += count
        losses.append(loss.item())
        if step % 50 == 0:
            mean, speed = sum(losses[-50:]) / 50, seen / (time.time() - start)
            left = (steps - step) * (time.time() - start) / step / 60
            print(f"step {step}/{steps} loss {mean:.4f} {speed:,.0f} {unit}/s, {left:.1f} min left", flush=True)
    final = round(sum(losses[-100:]) / len(losses[-100:]), 4)
    minutes = round((time.time() - start) / 60, 1)
    return {"steps": steps, "lr": lr, unit: seen, "final_loss": final, "minutes": minutes}


def parse(description: str | None, threads: int, **settings: float) -> argparse.Namespace:
    """The options of a pretraining: its folder, its numbers with their defaults, seed and threads, which it sets."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    for name, default in {**settings, "seed": 0, "threads": threads}.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help="default: %(default)s")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    return arguments


def save(model: Any, reader: Any, arguments: argparse.Namespace, **facts: Any) -> None:
    """Writes the model's folder with its tokenizer or processor, and where it is from."""
    model.eval().save_pretrained(arguments.out)
    reader.save_pretrained(arguments.out)
    given = " ".join(f"--{name} {value}" for name, value in vars(arguments).items() if name != "out")
    provenance = {
        "command": f"python scripts/{Path(sys.argv[0]).name} --out … {given}",
        **facts,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "processor": platform.machine(),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    (arguments.out / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
