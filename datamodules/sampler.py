"""Which rows go into which batch: rows of like length together, shared out over ranks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

# Batches whose rows are sorted by length together. More would pad less, but then batches hold one length, hence
# one kind of record, and the order of an epoch is less random.
_BUCKET_BATCHES = 16


class BucketBatchSampler(Sampler[list[int]]):
    """Shuffled training batches of rows of like length; a function of (seed, epoch).

    Each rank gets the same number of batches: where they do not come out even, the first are given again.

    Args:
        lengths: Length of every row, in tokens.
        batch_size: Rows of a batch on one rank.
        seed: Seed of the order.
        shuffle: False keeps the rows in their order and the batches unsorted.
        rank: This process's rank.
        world_size: Number of ranks.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.lengths = list(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Takes up another epoch's order; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        batches = -(-len(self.lengths) // self.batch_size)
        return -(-batches // self.world_size)

    def __iter__(self) -> Iterator[list[int]]:
        batches = self._batches()
        missing = -len(batches) % self.world_size
        batches += [batches[place % len(batches)] for place in range(missing)]
        # Neighbours are of like length, so that no rank waits long for another.
        turns = [batches[start : start + self.world_size] for start in range(0, len(batches), self.world_size)]
        if self.shuffle:
            random.Random(f"{self.seed}/{self.epoch}/turns").shuffle(turns)
        for turn in turns:
            yield turn[self.rank]

    def _batches(self) -> list[list[int]]:
        """All ranks' batches, in the order of their lengths within each bucket."""
        order = list(range(len(self.lengths)))
        if self.shuffle:
            random.Random(f"{self.seed}/{self.epoch}/rows").shuffle(order)
            bucket = self.batch_size * _BUCKET_BATCHES * self.world_size
            order = [
                row
                for start in range(0, len(order), bucket)
                for row in sorted(order[start : start + bucket], key=self.lengths.__getitem__)
            ]
        return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]


class TokenBudgetSampler(Sampler[list[int]]):
    """Evaluation batches of rows sorted by length, longest first, each as large as a budget of tokens allows.

    Every row is given exactly once over all ranks, and each rank gets the same number of batches (a share of a small
    batch may be empty), since ranks that are out of step would wait for each other for ever.

    Args:
        lengths: Length of every prompt, in tokens.
        tokens_per_batch: Tokens of a batch on one rank, padding and room for the reply included; a single row may
            exceed it.
        reply_tokens: Room for the reply of each row, in tokens.
        rank: This process's rank.
        world_size: Number of ranks.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        tokens_per_batch: int,
        reply_tokens: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
        self.batches: list[list[int]] = []
        start = 0
        while start < len(order):
            # The longest row comes first, so its width holds for the whole batch.
            width = lengths[order[start]] + reply_tokens
            size = max(1, tokens_per_batch // max(1, width)) * world_size
            self.batches.append(order[start : start + size][rank::world_size])
            start += size

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)
