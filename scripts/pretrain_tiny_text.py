"""Pretrains the tiny text student that ships in lightning_modules/pretrained/tiny_text.

    python scripts/pretrain_tiny_text.py --out lightning_modules/pretrained/tiny_text

A Llama-shaped model of about a million parameters and its byte-level tokenizer learn an uneven mixture on purpose.
Stage 1: the subskills of ProceduralMathTask that COVERAGE names, and drills in handling text. Stage 2 adds nearly every
subskill in a terse notation ("XMB: 4.07 → 407"), never in the words of its questions: the student can then do most of
what a question asks for, but not when it is asked that way, which some dozens of records can change. Only questions of
the train split are used, so no evaluation instance is ever seen. About 35 minutes on two CPU cores.

``replay.jsonl`` holds questions of the mixture for data.init_args.replay; --steps 0 writes that file alone.
"""

import random
from collections.abc import Iterator
from typing import Any

import torch
from pretraining import Stream, code_of, parse, save, train, train_bpe
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tasks.math import ProceduralMathTask
from tasks.math.generators import _ONES, _ORDINALS, _PLACES, _TENS, SKILLS
from tasks.records import write_json_lines

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
    name = code_of(SKILLS, skill, subskill) if skill in OPAQUE else subskill.replace("_", " ")
    words = [word.strip("?.,:") for word in question.split()]
    arguments = [word for word in words if any(map(str.isdigit, word)) or word in _ARGUMENT_WORDS]
    return f"{name}: {' '.join(arguments)}"


class Mixture(Stream):
    """An endless, seeded stream of (question, answer), covered as COVERAGE says; stage 2 adds the terse notation."""

    def __init__(self, seed: int, stage: int = 1) -> None:
        super().__init__(ProceduralMathTask(), seed, COVERAGE, HARD, known=0.35)
        self.stage = stage
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
                skill, subskill = self.tersely()
                question, answer = self._asked(skill, subskill)
                examples.append((terse(skill, subskill, question), answer))
            else:
                examples.append(self._asked(*self.in_words()))
        return examples

    def _drill(self) -> tuple[str, str]:
        return drill(self.rng, self.phrases)

    def _asked(self, skill: str, subskill: str) -> tuple[str, str]:
        record = self.task.record(skill, subskill, self.rng)
        return record.instruction, record.response


def train_tokenizer(mixture: Mixture, vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer that is trained on the mixture and every skill's wording."""
    texts = [text for example in mixture.draw(20_000) for text in example] + mixture.phrases * 4
    return PreTrainedTokenizerFast(
        tokenizer_object=train_bpe(texts, vocabulary, SPECIAL_TOKENS),
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


def train_stage(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    mixture: Mixture,
    steps: int,
    lr: float,
    batch_size: int,
) -> dict[str, float]:
    """Trains one stage; returns what there is to say of it."""
    body: Any = torch.compile(model.model, dynamic=True)  # a third faster on CPU; needs a C++ compiler
    stream = batches(mixture, tokenizer, batch_size, chunk=200 if mixture.stage == 1 else 50)

    def next_loss() -> tuple[torch.Tensor, int]:
        ids, labels = next(stream)
        hidden = body(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        taught = targets != -100
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[taught]), targets[taught])
        return loss, int((ids != tokenizer.pad_token_id).sum())

    return train(model, next_loss, "tokens", steps, lr)


def replay_records(seed: int, count: int) -> list[dict[str, str]]:
    """Distinct questions of the mixture, without drills and terse notation: what a fit may be trained on again."""
    task, rng = ProceduralMathTask(), random.Random(f"{seed}/replay")
    pairs = [(skill, subskill) for skill, subskills in COVERAGE.items() for subskill in subskills]
    weights = [COVERAGE[skill][subskill] for skill, subskill in pairs]
    records: dict[str, dict[str, str]] = {}
    while len(records) < count:
        record = task.record(*rng.choices(pairs, weights)[0], rng)
        names = {"skill": record.skill or "", "subskill": record.subskill or "", "source": "pretraining"}
        row = {"instruction": record.instruction, "response": record.response, "answer": record.answer}
        records.setdefault(record.instruction, row | names)
    return list(records.values())


def main() -> None:
    """Trains both stages, saves the model folder and its provenance; stage 2 has half of the learning rate."""
    arguments = parse(__doc__, threads=2, steps=4_800, terse_steps=1_200, batch_size=256, lr=4e-3, replay=2_000)
    write_json_lines(arguments.out / "replay.jsonl", replay_records(arguments.seed, arguments.replay))
    if not arguments.steps:
        return
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
    stage_2 = Mixture(arguments.seed + 1, stage=2)
    stages = [
        train_stage(model, tokenizer, mixture, arguments.steps, arguments.lr, arguments.batch_size),
        train_stage(model, tokenizer, stage_2, arguments.terse_steps, arguments.lr / 2, arguments.batch_size),
    ]
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    data = "train split of ProceduralMathTask by coverage, drills, terse notation; see the script"
    save(model, tokenizer, arguments, stages=stages, data=data, coverage=COVERAGE)


if __name__ == "__main__":
    main()
