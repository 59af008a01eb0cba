"""Measures fit and evaluation in tokens/s against a plain Hugging Face loop, over the same records in the same run.

    python benchmarks/throughput.py [MODEL_FOLDER] [--tuning full] [--repeats 3] [--trl]

The plain loop is what one would write by hand: random order, batches padded on the right with an attention mask,
``model(**batch, labels=...)``, AdamW; ``model.generate`` on batches in the order of the file, padded on the left. Ours
is a Lightning Trainer, its start and its tokenisation included. All settings are the same but for larger evaluation
batches than generate's 16, since sorting by length and dropping finished rows is what makes them pay. Tokens are those
of records, or of prompts and replies, without padding. The ratio is what counts: seconds depend on the machine's load.
``--trl`` adds TRL's SFTTrainer on the same records (``pip install trl``; it is not a dependency), losses on replies
alone and without gradient checkpointing, which it switches on by itself. Beside other work, set
``OMP_WAIT_POLICY=PASSIVE``: OpenMP threads that wait otherwise spin against the busy ones. Quiet, leave it alone.
"""

import argparse
import logging
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from typing import Any

from common import make_parser

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from lightning.pytorch import Trainer, seed_everything
from torch.utils.data import DataLoader

from datamodules import StudentDataModule
from lightning_modules import CausalLMStudent
from lightning_modules.objectives import IGNORED
from lightning_modules.prompt_format import EncodedRecord
from tasks.math import ProceduralMathTask
from tasks.types import TaskInstance, TrainingRecord

Times = tuple[float, int]  # seconds, tokens


def pad(rows: list[list[int]], value: int, left: bool = False) -> torch.Tensor:
    """Rows of one width."""
    width = max(map(len, rows))
    fill = [[value] * (width - len(row)) for row in rows]
    return torch.tensor([gap + row if left else row + gap for row, gap in zip(rows, fill, strict=True)])


def plain_fit(student: CausalLMStudent, records: list[TrainingRecord], options: argparse.Namespace) -> Times:
    """Trains a fresh copy of the student's network by hand."""
    student.configure_model()
    network = student.network.train()
    start = time.perf_counter()
    encoded = [student.encode_record(record) for record in records]

    def collate(rows: list[EncodedRecord]) -> dict[str, torch.Tensor]:
        return {
            "input_ids": pad([row.input_ids for row in rows], student.pad_token_id),
            "attention_mask": pad([[1] * len(row.input_ids) for row in rows], 0),
            "labels": pad([row.labels for row in rows], -100),
        }

    dataset: Any = encoded
    loader: DataLoader[EncodedRecord] = DataLoader(
        dataset, batch_size=options.batch_size, shuffle=True, collate_fn=collate
    )
    trainable = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=options.lr, weight_decay=0.0)
    for _ in range(options.epochs):
        for batch in loader:
            loss = network(**batch).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return time.perf_counter() - start, options.epochs * sum(len(row.input_ids) for row in encoded)


def trl_fit(student: CausalLMStudent, records: list[TrainingRecord], options: argparse.Namespace) -> Times:
    """Trains a fresh copy of the student's network with TRL's SFTTrainer, its start and its tokenisation included."""
    from datasets import Dataset, disable_progress_bars
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    student.configure_model()
    style = student.prompt_format
    # The tokens that ours and the plain loop learn, as text: both ends of the response are in its own column.
    rows = []
    for record in records:
        row = student.encode_record(record)
        prompt = sum(label == IGNORED for label in row.labels)
        pieces = (row.input_ids[:prompt], row.input_ids[prompt:])
        rows.append(dict(zip(("prompt", "completion"), map(style.tokenizer.decode, pieces), strict=True)))
    table = Dataset.from_list(rows)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=options.batch_size,
            num_train_epochs=options.epochs,
            learning_rate=options.lr,
            lr_scheduler_type="constant",
            weight_decay=0.0,
            max_length=None,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            disable_tqdm=True,
            logging_strategy="no",
            report_to="none",
            save_strategy="no",
        )
        trainer = SFTTrainer(student.network, args=settings, train_dataset=table, processing_class=style.tokenizer)
        trainer.train()
    return time.perf_counter() - start, options.epochs * sum(len(student.encode_record(r).input_ids) for r in records)


def our_fit(student: CausalLMStudent, data: StudentDataModule, options: argparse.Namespace) -> Times:
    """Trains a fresh student with a Trainer."""
    student.configure_model()  # reading the weights is timed in neither
    start = time.perf_counter()
    quiet_trainer(max_epochs=options.epochs, limit_val_batches=0).fit(student, data)
    seconds = time.perf_counter() - start
    return seconds, options.epochs * sum(len(student.encode_record(record).input_ids) for record in data.records or ())


@torch.inference_mode()
def plain_evaluation(
    student: CausalLMStudent, questions: Sequence[TaskInstance], options: argparse.Namespace
) -> tuple[Times, list[str]]:
    """Answers questions with generate()."""
    network, replies, tokens = student.network.eval(), [], 0
    start = time.perf_counter()
    prompts = [student.encode_prompt(question) for question in questions]
    for place in range(0, len(prompts), options.generate_batch_size):
        rows = prompts[place : place + options.generate_batch_size]
        ids = pad(rows, student.pad_token_id, left=True)
        made = network.generate(
            input_ids=ids,
            attention_mask=pad([[1] * len(row) for row in rows], 0, left=True),
            max_new_tokens=options.max_new_tokens,
            do_sample=False,
            pad_token_id=student.pad_token_id,
        )[:, ids.shape[1] :]
        tokens += sum(map(len, rows)) + int((made != student.pad_token_id).sum())
        replies += student.prompt_format.tokenizer.batch_decode(made, skip_special_tokens=True)
    return (time.perf_counter() - start, tokens), replies


def our_evaluation(student: CausalLMStudent, data: StudentDataModule) -> tuple[float, list[str]]:
    """Answers the data module's instances with a Trainer."""
    start = time.perf_counter()
    batches: Any = quiet_trainer().predict(student, data)
    seconds = time.perf_counter() - start
    texts = {row: text for batch in batches for row, text in zip(batch.index, batch.texts, strict=True)}
    return seconds, [texts[row] for row in sorted(texts)]


def quiet_trainer(**settings: Any) -> Trainer:
    """A Trainer for one device that shows and stores nothing."""
    return Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **settings,
    )


def report(name: str, plain: list[Times], ours: list[Times], aim: float) -> None:
    """Prints both speeds and their ratio; ``plain`` may be another's."""
    before, after = (statistics.median(tokens / seconds for seconds, tokens in times) for times in (plain, ours))
    print(f"{name:<12}{before:>14,.0f}{after:>14,.0f}{after / before:>9.2f}x   (aim {aim}x)", flush=True)


def main() -> None:
    """Runs both sides in turn and prints a table."""
    parser = make_parser(__doc__)
    parser.add_argument("model", nargs="?", default="tiny_text", help="model folder or name of a packaged student")
    parser.add_argument("--tuning", choices=["full", "lora"], default="full")
    parser.add_argument("--records", type=int, default=1_080)
    parser.add_argument("--instances", type=int, default=432)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch_size", type=int, default=32, help="of training; configs/students/tiny_text.yaml's")
    parser.add_argument("--generate_batch_size", type=int, default=16, help="of the plain loop's generate")
    parser.add_argument("--max_new_tokens", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--trl", action="store_true", help="also measure the fit of TRL's SFTTrainer")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)

    task = ProceduralMathTask(val_size=options.instances)
    pairs, rng = task.subskill_pairs(), random.Random(0)
    records = [task.record(*pairs[place % len(pairs)], rng) for place in range(options.records)]
    data = StudentDataModule(task, batch_size=options.batch_size).with_records(records)
    instances = list(task.instances("val"))
    asked = data.with_instances({"val": instances})

    def fresh() -> CausalLMStudent:
        seed_everything(0, verbose=False)
        return CausalLMStudent(
            options.model,
            tuning=options.tuning,
            lr=options.lr,
            max_new_tokens=options.max_new_tokens,
            schedule="constant",
        )

    fits: tuple[list[Times], list[Times]] = ([], [])
    evaluations: tuple[list[Times], list[Times]] = ([], [])
    others: list[Times] = []
    same = 0
    for repeat in range(options.repeats + 1):
        sides = (plain_fit(fresh(), records, options), our_fit(student := fresh(), data, options))
        other = trl_fit(fresh(), records, options) if options.trl else None
        times, expected = plain_evaluation(student, instances, options)
        seconds, texts = our_evaluation(student, asked)
        same = sum(one == other for one, other in zip(expected, texts, strict=True))
        if repeat:  # the first turn warms both sides up
            for kept, measured in zip(fits, sides, strict=True):
                kept.append(measured)
            others += [other] if other else []
            evaluations[0].append(times)
            evaluations[1].append((seconds, times[1]))

    print(f"{options}\ntorch {torch.__version__}, {options.threads} threads, {same} of {len(texts)} replies are equal")
    print(f"{'tokens/s':<12}{'plain':>14}{'ours':>14}{'ratio':>10}")
    report("fit", *fits, aim=1.5)
    if others:
        report("fit, TRL", others, fits[1], aim=2.0)
    report("evaluation", *evaluations, aim=2.0)


if __name__ == "__main__":
    main()
