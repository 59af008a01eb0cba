"""The data module of a student: records to train on, instances to be measured on."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_warn
from torch.utils.data import DataLoader

from datamodules.collate import Encoder, PromptBatches, TrainingBatches, images_of
from datamodules.sampler import BucketBatchSampler, TokenBudgetSampler
from tasks.base import Task
from tasks.errors import ConfigurationError, RecordError, check_range
from tasks.records import read_records
from tasks.types import TaskInstance, TrainingRecord

# The loaders' rows are token ids in memory already, so that workers would only copy them.
warnings.filterwarnings("ignore", message=".*does not have many workers.*")

_Loader = DataLoader[dict[str, torch.Tensor]]


class StudentDataModule(LightningDataModule):
    """Batches of records and instances, encoded by the student that the trainer trains.

    Training batches hold records of like length, in an order that follows from (seed, epoch). Evaluation batches
    hold instances sorted by length, as many as a budget of tokens allows. Both are shared out over ranks here.

    Args:
        task: The task; its ``val`` and ``test`` instances are the evaluation sets.
        records: File of records to train on, one JSON object per line; not needed for evaluation.
        batch_size: Records of a training batch on one device.
        eval_tokens_per_batch: Tokens of an evaluation batch on one device: prompts, their padding and the room for
            the replies.
        shuffle: False trains on the records in their order.
        seed: Seed of the order of the records.
        bucket_batches: Batches whose records are sorted by length together. More pads less, but then a batch holds
            records of one length, often of one kind; 1 mixes all.
        replay: Records of the student's pretraining that every fit is trained on as well, drawn by the fit's seed from
            those that come with its weights. They are the student's own memory: no teacher pays for them or sees them.
        likelihood: Whether evaluation also measures how likely the student finds the task's reference replies, at the
            price of one more pass over the prompts.
        num_workers: Processes that make batches; 0 makes them in this one, which is the fastest for text and for
            small images.

    Raises:
        ConfigurationError: A size is not positive.
        MissingFileError: There is no such records file.
        RecordError: The records file is empty or a line of it is not a record.
    """

    def __init__(
        self,
        task: Task,
        records: str | Path | None = None,
        batch_size: int = 16,
        eval_tokens_per_batch: int = 16_384,
        shuffle: bool = True,
        seed: int = 0,
        num_workers: int = 0,
        bucket_batches: int = 32,
        replay: int = 0,
        likelihood: bool = True,
    ) -> None:
        super().__init__()
        check_range("data.init_args", batch_size=batch_size, bucket_batches=bucket_batches)
        check_range("data.init_args", eval_tokens_per_batch=eval_tokens_per_batch)
        check_range("data.init_args", 0, num_workers=num_workers, replay=replay)
        self.task = task
        self.records: tuple[TrainingRecord, ...] | None = None if records is None else tuple(read_records(records))
        self.batch_size = batch_size
        self.eval_tokens_per_batch = eval_tokens_per_batch
        self.shuffle = shuffle
        self.seed = seed
        self.num_workers = num_workers
        self.bucket_batches = bucket_batches
        self.replay = replay
        self.likelihood = likelihood
        self._sets: Mapping[str, Sequence[TaskInstance]] | None = None
        self._truncated: int | None = None

    @property
    def evaluation_sets(self) -> Mapping[str, Sequence[TaskInstance]]:
        """The instances by set, in the order of the predict loaders."""
        if self._sets is not None:
            return self._sets
        return {"val": self.task.instances("val"), "test": self.task.instances("test")}

    @property
    def truncated_records(self) -> int | None:
        """How many records were cut at the student's ``max_length``; None before they are encoded."""
        return self._truncated

    def with_records(self, records: Sequence[TrainingRecord], seed: int | None = None) -> StudentDataModule:
        """A data module like this one over other records; without a seed, their order follows from this one's."""
        if not records:
            raise RecordError("There are no records to train on: the teacher made none, or all were rejected.")
        made = self._fresh()
        made.records = tuple(records)
        made.seed = self.seed if seed is None else seed
        return made

    def with_instances(
        self, sets: Mapping[str, Sequence[TaskInstance]], likelihood: bool | None = None
    ) -> StudentDataModule:
        """A data module like this one whose predict loaders cover just these sets; ``likelihood`` replaces its own."""
        made = self._fresh()
        made._sets = dict(sets)
        made.likelihood = self.likelihood if likelihood is None else likelihood
        return made

    def train_dataloader(self) -> _Loader:
        """Shuffled batches of the records.

        Raises:
            ConfigurationError: No records were given.
            RecordError: The student learns from pairs and some records are none.
            StudentError: A record has an image that the student cannot see, or lacks one that it needs; or records are
                replayed, and none come with the student.
        """
        if self.records is None:
            raise ConfigurationError("There is nothing to train on: set --data.init_args.records to a records file.")
        encoder, records = self._encoder(), list(self.records)
        if self.replay:
            known = encoder.replay_records()
            if len(known) < self.replay:
                raise ConfigurationError(
                    f"data.init_args.replay is {self.replay}, and the student brings {len(known)} records of its "
                    "pretraining: choose fewer."
                )
            records += random.Random(f"{self.seed}/replay").sample(known, self.replay)
        encoded = encoder.encode_records(records)
        self._truncated = sum(record.truncated for record in encoded)
        if self._truncated:
            rank_zero_warn(
                f"{self._truncated} of {len(encoded)} records are longer than the student's max_length; their ends "
                "are cut off: raise model.init_args.max_length to keep them whole."
            )
        batches = TrainingBatches(encoded, encoder.pad_token_id, images_of(records, encoder))
        make = partial(
            BucketBatchSampler,
            batches.lengths,
            self.batch_size,
            self.seed,
            self.shuffle,
            bucket_batches=self.bucket_batches,
        )
        return self._loader(batches, make(*self._place()))

    def val_dataloader(self) -> _Loader:
        """The validation instances."""
        return self._evaluation_loader(self.task.instances("val"))

    def test_dataloader(self) -> _Loader:
        """The test instances."""
        return self._evaluation_loader(self.task.instances("test"))

    def predict_dataloader(self) -> list[_Loader]:
        """One loader for each evaluation set, in their order."""
        return [self._evaluation_loader(instances) for instances in self.evaluation_sets.values()]

    def _fresh(self) -> StudentDataModule:
        """A copy for another Trainer; task and instances are shared, nothing of this one's run comes along."""
        made = copy.copy(self)
        made.trainer = None
        made._truncated = None
        return made

    def _encoder(self) -> Encoder:
        if self.trainer is None:
            raise AssertionError("the loaders are made for a Trainer's student")
        return cast(Encoder, self.trainer.lightning_module)

    def _place(self) -> tuple[int, int]:
        assert self.trainer is not None
        return self.trainer.global_rank, self.trainer.world_size

    def _evaluation_loader(self, instances: Sequence[TaskInstance]) -> _Loader:
        encoder = self._encoder()
        encoded = [encoder.encode_prompt(one) for one in instances]
        replies = [self.task.reference(one) if self.likelihood else None for one in instances]
        references = None
        if any(reply is not None for reply in replies):
            references = [encoder.encode_reference(*pair) for pair in zip(instances, replies, strict=True)]
        prompts = PromptBatches(encoded, encoder.pad_token_id, images_of(instances, encoder), references)
        make = partial(TokenBudgetSampler, prompts.lengths, self.eval_tokens_per_batch, encoder.max_new_tokens)
        return self._loader(prompts, make(*self._place()))

    def _loader(self, dataset: Any, sampler: Any) -> _Loader:
        # The sampler's items are whole batches (batch_size=None): as a batch_sampler Lightning would take it apart
        # in predict, and would not tell it the epoch.
        return DataLoader(
            dataset,
            batch_size=None,
            sampler=sampler,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
        )
