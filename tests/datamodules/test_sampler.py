"""The samplers: all rows, like lengths together, fair shares over ranks."""

import random

import pytest

from datamodules.sampler import BucketBatchSampler, TokenBudgetSampler

_RNG = random.Random(4)
LENGTHS = [_RNG.randint(5, 60) for _ in range(203)]


def rows_of(batches):
    return sorted(row for batch in batches for row in batch)


def padded(batches):
    return sum(max(LENGTHS[row] for row in batch) * len(batch) for batch in batches)


def test_training_batches_hold_every_row_once_and_pad_little():
    batches = list(BucketBatchSampler(LENGTHS, 8, seed=1))
    assert rows_of(batches) == list(range(203))
    assert len(batches) == len(BucketBatchSampler(LENGTHS, 8)) == 26
    plain = list(BucketBatchSampler(LENGTHS, 8, shuffle=False))
    assert plain[0] == list(range(8))
    assert padded(batches) < 1.1 * sum(LENGTHS) < padded(plain)


def test_training_order_follows_seed_and_epoch():
    def order(seed, epoch):
        sampler = BucketBatchSampler(LENGTHS, 8, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) != order(2, 1)
    widths = [max(LENGTHS[row] for row in batch) for batch in order(1, 0)]
    assert widths != sorted(widths)


@pytest.mark.parametrize("world", [2, 3, 7])
@pytest.mark.parametrize("count", [1, 9, 203])
def test_ranks_train_on_equally_many_batches(world, count):
    ranks = [list(BucketBatchSampler(LENGTHS[:count], 8, 1, True, rank, world)) for rank in range(world)]
    assert {len(batches) for batches in ranks} == {len(BucketBatchSampler(LENGTHS[:count], 8, 1, True, 0, world))}
    assert set(rows_of(batch for batches in ranks for batch in batches)) == set(range(count))


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 9, 203])
def test_evaluation_shares_rows_out_exactly_once(world, count):
    ranks = [list(TokenBudgetSampler(LENGTHS[:count], 300, 10, rank, world)) for rank in range(world)]
    assert rows_of(batch for batches in ranks for batch in batches) == list(range(count))
    assert len({len(batches) for batches in ranks}) == 1, "ranks out of step would hang"


def test_evaluation_batches_keep_the_budget_and_go_from_long_to_short():
    batches = list(TokenBudgetSampler(LENGTHS, 300, reply_tokens=10))
    for batch in batches:
        assert len(batch) * (max(LENGTHS[row] for row in batch) + 10) <= 300
    widths = [max(LENGTHS[row] for row in batch) for batch in batches]
    assert widths == sorted(widths, reverse=True)
    assert padded(batches) < 1.1 * sum(LENGTHS)
    assert [len(batch) for batch in TokenBudgetSampler(LENGTHS, 1)] == [1] * 203


def test_fewer_batches_sorted_together_mix_lengths_more():
    lengths = [1 + number % 50 for number in range(640)]

    def spread(bucket_batches):
        sampler = BucketBatchSampler(lengths, 32, seed=1, bucket_batches=bucket_batches)
        batches = [[lengths[row] for row in batch] for batch in sampler]
        return sum(max(batch) - min(batch) for batch in batches) / len(batches)

    assert spread(32) < spread(4) < spread(1)
