"""Which rows go into which batch: rows of like length together, shared out over ranks."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import DistributedSampler

# An evaluation batch of at least this many rows ends early where the rows have become much shorter than its first:
# from there on padding costs more than one more batch does.
_ENOUGH_ROWS = 32
_MUCH_SHORTER = 0.8


class SharedOutSampler(DistributedSampler[list[int]]):
    """Batches that are shared out over ranks already, whatever ``trainer.use_distributed_sampler`` says.

    Lightning puts a sampler of its own around every other kind under ddp, which would share the shares out once more.
    The lengths are those of all rows, in tokens.
    """

    def __init__(self, lengths: Sequence[int], seed: int, shuffle: bool, rank: int, world_size: int) -> None:
        rows: Any = list(lengths)
        super().__init__(rows, num_replicas=world_size, rank=rank, shuffle=shuffle, seed=seed)
        self.lengths: list[int] = rows
        self.world_size = world_size


class BucketBatchSampler(SharedOutSampler):
    """Shuffled training batches of rows of like length; a function of (seed, epoch).

    Each rank gets the same number of batches of ``batch_size``: where they do not come out even, the first are given
    again. The rows of ``bucket_batches`` batches are sorted by length together; unshuffled, rows keep their order.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
        bucket_batches: int = 32,
    ) -> None:
        super().__init__(lengths, seed, shuffle, rank, world_size)
        self.batch_size = batch_size
        self.bucket_batches = bucket_batches

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
        order = list(range(len(self.lengths)))
        if self.shuffle:
            random.Random(f"{self.seed}/{self.epoch}/rows").shuffle(order)
            bucket = self.batch_size * self.bucket_batches * self.world_size
            order = [
                row
                for start in range(0, len(order), bucket)
                for row in sorted(order[start : start + bucket], key=self.lengths.__getitem__)
            ]
        return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]


class TokenBudgetSampler(SharedOutSampler):
    """Evaluation batches of rows of like length, longest first, each as large as a budget of tokens allows.

    Every row is given exactly once over all ranks, and each rank gets the same number of batches (a share of a small
    batch may be empty), since ranks that are out of step would wait for each other for ever. The budget is one rank's
    and includes padding and ``reply_tokens`` for each row; a single row may exceed it.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        tokens_per_batch: int,
        reply_tokens: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(lengths, 0, False, rank, world_size)
        order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
        self.batches: list[list[int]] = []
        start = 0
        while start < len(order):
            # The longest row comes first, so its width holds for the whole batch.
            width = lengths[order[start]]
            end = start + max(1, tokens_per_batch // max(1, width + reply_tokens)) * world_size
            for place in range(start + _ENOUGH_ROWS * world_size, min(end, len(order))):
                if lengths[order[place]] < _MUCH_SHORTER * width:
                    end = place
                    break
            self.batches.append(order[start:end][rank::world_size])
            start = end

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)
