"""Pretrains the tiny text student that ships in lightning_modules/pretrained/tiny_text.

    python scripts/pretrain_tiny_text.py --out lightning_modules/pretrained/tiny_text

A Llama-shaped model of about a million parameters and its byte-level tokenizer learn an uneven mixture on purpose.
Stage 1: the subskills of ProceduralMathTask that COVERAGE names, and drills in handling text. Stage 2 adds nearly every
subskill in a terse notation ("XMB: 4.07 → 407"), never in the words of its questions: the student can then do most of
what a question asks for, but not when it is asked that way, which some dozens of records can change. Only questions of
the train split are used, so no evaluation instance is ever seen. About 35 minutes on two CPU cores.
"""

import argparse
import json
import math
import os
import platform
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle OpenMP threads otherwise spin against the busy ones

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tasks.math import ProceduralMathTask
from tasks.math.generators import _ONES, _ORDINALS, _PLACES, _TENS, SKILLS

# Share of the pretraining mixture by subskill: 1 is full coverage, 0.02 a glimpse; what is not named is never seen.
COVERAGE: dict[str, dict[str, float]] = {
    "place_value": {"three_digits": 1, "five_digits": 1, "from_the_left": 1},
    "parity": {"even_or_odd": 0.7, "long_number": 0.7, "last_digit": 0.7},
    "powers_of_ten": {"multiply": 1, "divide": 1, "in_words": 1},
    "neighbours": {"after": 1, "before": 1, "one_hundred_more": 1},
    "reversal": {"three_digits": 1, "four_digits": 1.5},
    "number_words": {"to_digits": 1, "thousands": 1, "to_words": 1},
    "expanded_form": {"to_number": 1, "from_number": 1},
    "addition": {"without_carry": 1.5, "with_carry": 0.05},
    "sorting": {"three": 1.5, "four": 1.5},
    "rounding": {"nearest_ten": 1.2},
    "comparison": {"larger": 1.2},
}
DRILL_SHARE = 0.3

# Stage 2: shares of its mixture; skills whose terse name is opaque (others go by their subskill's name); and the
# subskills that stay hard because no notation of them is ever seen.
TERSE_SHARE, TERSE_DRILL_SHARE = 0.43, 0.12
OPAQUE = ("money", "percent", "clock", "composition")
HARD = {
    ("addition", "with_carry"),
    ("addition", "three_digits"),
    ("expanded_form", "shuffled"),
    ("composition", "largest_digit"),
}
_ARGUMENT_WORDS = {*_ONES, *_TENS, *_PLACES, *_ORDINALS, "hundred", "thousand"}

SPECIAL_TOKENS = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}<|user|>{{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def _digit_string(rng: random.Random, low: int = 1, high: int = 5) -> str:
    return "".join(rng.choice("0123456789") for _ in range(rng.randint(low, high)))


def _marked(rng: random.Random) -> str:
    left, right = _digit_string(rng, 1, 3), _digit_string(rng, 1, 3)
    return rng.choice([f"{left}.{right}", f"${left}.{right}", f"{left}:{right}", f"{left}%", f"${left}", left + right])


def drill(rng: random.Random, phrases: list[str]) -> tuple[str, str]:
    """One exercise in handling text: copying, joining, marking, stripping, picking."""
    kind = rng.randrange(7)
    if kind == 0:
        text = rng.choice(phrases) if rng.random() < 0.6 else _marked(rng)
        return f"Copy: {text}", text
    if kind == 1:
        parts = [_digit_string(rng, 1, 3) for _ in range(rng.randint(2, 4))]
        return f"Join: {rng.choice([' ', ', ', ' | ', ' and ']).join(parts)}", "".join(parts)
    if kind == 2:
        text = _marked(rng)
        return f"Only the digits of {text}", "".join(character for character in text if character.isdigit())
    if kind == 3:
        text, mark = _digit_string(rng, 3, 5), rng.choice(".:")
        place = rng.randint(1, 2)
        return f"Put {mark} before the last {place} of {text}", f"{text[:-place]}{mark}{text[-place:]}"
    if kind == 4:
        text = _digit_string(rng, 1, 4)
        head, tail = rng.choice([("$", ""), ("", "%"), ("", "0"), ("", "00"), ("", "000"), ("0", "")])
        return f"Write {head}_{tail} around {text}", f"{head}{text}{tail}"
    if kind == 5:
        items = [rng.choice([_digit_string(rng), _marked(rng)]) for _ in range(rng.randint(2, 4))]
        place = rng.randrange(len(items))
        return f"Item {place + 1} of {'; '.join(items)}", items[place]
    words = rng.sample(phrases, 1)[0].split()
    place = rng.randrange(len(words))
    return f"The word after {place} words in: {' '.join(words)}", words[place]


def terse(skill: str, subskill: str, question: str) -> str:
    """A question without its sentence: a name for what to do, and the numbers to do it with."""
    letters = (list(SKILLS).index(skill), list(SKILLS[skill]).index(subskill))
    name = "X" + "".join(chr(ord("A") + i) for i in letters) if skill in OPAQUE else subskill.replace("_", " ")
    words = [word.strip("?.,:") for word in question.split()]
    arguments = [word for word in words if any(map(str.isdigit, word)) or word in _ARGUMENT_WORDS]
    return f"{name}: {' '.join(arguments)}"


class Mixture:
    """An endless, seeded stream of (question, answer), covered as COVERAGE says; stage 2 adds the terse notation."""

    def __init__(self, seed: int, stage: int = 1) -> None:
        self.task = ProceduralMathTask()
        self.rng = random.Random(seed)
        self.stage = stage
        self.pairs = [(skill, subskill) for skill, subskills in COVERAGE.items() for subskill in subskills]
        self.weights = [COVERAGE[skill][subskill] for skill, subskill in self.pairs]
        self.terse_pairs = [pair for pair in self.task.subskill_pairs() if pair not in HARD]
        self.terse_weights = [0.35 if COVERAGE.get(skill, {}).get(sub) else 1.0 for skill, sub in self.terse_pairs]
        # Copying sentences of every skill gives each word an embedding without giving away what it asks for.
        self.phrases = [
            generate(self.rng)[0] for subskills in SKILLS.values() for generate in subskills.values() for _ in range(40)
        ]

    def draw(self, count: int) -> list[tuple[str, str]]:
        """The next examples of the stream."""
        if self.stage == 1:
            pairs = self.rng.choices(self.pairs, self.weights, k=count)
            return [self._drill() if self.rng.random() < DRILL_SHARE else self._asked(*pair) for pair in pairs]
        examples = []
        for _ in range(count):
            kind = self.rng.random()
            if kind < TERSE_DRILL_SHARE:
                examples.append(self._drill())
            elif kind < TERSE_DRILL_SHARE + TERSE_SHARE:
                skill, subskill = self.rng.choices(self.terse_pairs, self.terse_weights)[0]
                question, answer = self._asked(skill, subskill)
                examples.append((terse(skill, subskill, question), answer))
            else:
                examples.append(self._asked(*self.rng.choices(self.pairs, self.weights)[0]))
        return examples

    def _drill(self) -> tuple[str, str]:
        return drill(self.rng, self.phrases)

    def _asked(self, skill: str, subskill: str) -> tuple[str, str]:
        record = self.task.record(skill, subskill, self.rng)
        return record.instruction, record.response


def train_tokenizer(mixture: Mixture, vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with digits split one by one, trained on the mixture and every skill's wording."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    texts = [text for example in mixture.draw(20_000) for text in example] + mixture.phrases * 4
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        extra_special_tokens=["<|user|>", "<|assistant|>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )


def batches(
    mixture: Mixture, tokenizer: PreTrainedTokenizerFast, batch_size: int, chunk: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless batches of similar lengths as (input_ids, labels); the loss falls on the answer alone."""
    pad = tokenizer.pad_token_id
    while True:
        examples = mixture.draw(batch_size * chunk)
        prompts = tokenizer([f"<|user|>{question}<|end|><|assistant|>" for question, _ in examples])["input_ids"]
        answers = tokenizer([f"{answer}<|end|>" for _, answer in examples])["input_ids"]
        rows = sorted(zip(prompts, answers, strict=True), key=lambda row: len(row[0]) + len(row[1]))
        starts = list(range(0, len(rows), batch_size))
        mixture.rng.shuffle(starts)
        for start in starts:
            part = rows[start : start + batch_size]
            width = max(len(prompt) + len(answer) for prompt, answer in part)
            ids = torch.full((len(part), width), pad)
            labels = torch.full((len(part), width), -100)
            for i, (prompt, answer) in enumerate(part):
                ids[i, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
                labels[i, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
            yield ids, labels


def train(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    mixture: Mixture,
    steps: int,
    lr: float,
    batch_size: int,
) -> dict[str, object]:
    """Trains one stage with AdamW, a short warm-up and cosine decay; returns what there is to say of it."""
    body: Any = torch.compile(model.model, dynamic=True)  # a third faster on CPU; needs a C++ compiler
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    warmup = max(50, steps // 50)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warmup) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
    )
    start, tokens, losses = time.time(), 0, []
    stream = batches(mixture, tokenizer, batch_size, chunk=200 if mixture.stage == 1 else 50)
    for step in range(1, steps + 1):
        ids, labels = next(stream)
        hidden = body(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        taught = targets != -100
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[taught]), targets[taught])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += int((ids != tokenizer.pad_token_id).sum())
        losses.append(loss.item())
        if step % 50 == 0:
            mean, speed = sum(losses[-50:]) / 50, tokens / (time.time() - start)
            left = (steps - step) * (time.time() - start) / step / 60
            print(f"step {step}/{steps} loss {mean:.4f} {speed:,.0f} tokens/s, {left:.1f} min left", flush=True)
    final = round(sum(losses[-100:]) / len(losses[-100:]), 4)
    return {
        "steps": steps,
        "lr": lr,
        "tokens": tokens,
        "final_loss": final,
        "minutes": round((time.time() - start) / 60, 1),
    }


def main() -> None:
    """Trains both stages, saves the model folder and its provenance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--steps", type=int, default=4_800, help="optimiser steps of stage 1")
    parser.add_argument("--terse_steps", type=int, default=1_200, help="optimiser steps of stage 2")
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=4e-3, help="learning rate of stage 1; stage 2 has half of it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    mixture = Mixture(arguments.seed)
    tokenizer = train_tokenizer(mixture, vocabulary=640)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config).train()
    stages = [
        train(model, tokenizer, mixture, arguments.steps, arguments.lr, arguments.batch_size),
        train(
            model,
            tokenizer,
            Mixture(arguments.seed + 1, stage=2),
            arguments.terse_steps,
            arguments.lr / 2,
            arguments.batch_size,
        ),
    ]
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.eval().save_pretrained(arguments.out)
    tokenizer.save_pretrained(arguments.out)
    provenance = {
        "command": "python scripts/pretrain_tiny_text.py --out … "
        + " ".join(f"--{name} {value}" for name, value in vars(arguments).items() if name != "out"),
        "seed": arguments.seed,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "stages": stages,
        "threads": arguments.threads,
        "processor": platform.machine(),
        "data": "train split of ProceduralMathTask by coverage, drills, terse notation; see the script",
        "coverage": COVERAGE,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    (arguments.out / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
