"""The budget: limits, cutting, and errors."""

import random

import pytest

from environments.budget import Budget
from tasks.errors import ConfigurationError
from teachers.plan import DataSpec


@pytest.mark.parametrize("name", ["max_records", "max_steps", "max_seconds", "max_idle_steps"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_must_be_positive(name, value):
    with pytest.raises(ConfigurationError, match=f"^The budget: {name} is {value}; [^\n]*$"):
        Budget(**{"max_records": 10, name: value})


def test_there_must_be_a_limit():
    with pytest.raises(ConfigurationError, match="at least one of max_records, max_steps, max_seconds"):
        Budget()


def test_cut_scales_all_specs_alike_and_drops_empty_ones():
    specs = [DataSpec(60, skill="a"), DataSpec(30, skill="b"), DataSpec(0, skill="c"), DataSpec(10, skill="d")]
    cut = Budget(max_records=50).cut(specs, records=0, rng=random.Random(0))
    assert [(spec.skill, spec.count) for spec in cut] == [("a", 30), ("b", 15), ("d", 5)]


@pytest.mark.parametrize("left", range(1, 30))
def test_cut_gives_exactly_what_is_left(left):
    specs = [DataSpec(7), DataSpec(11), DataSpec(1), DataSpec(11)]
    cut = Budget(max_records=100).cut(specs, records=100 - left, rng=random.Random(left))
    assert sum(spec.count for spec in cut) == min(30, left)


def test_cut_does_not_always_favour_the_first_of_equals():
    specs = [DataSpec(1, skill=str(i)) for i in range(10)]
    budget = Budget(max_records=3)
    kept = {spec.skill for seed in range(20) for spec in budget.cut(specs, 0, random.Random(seed))}
    assert len(kept) == 10


def test_a_soft_budget_does_not_cut():
    assert Budget(max_records=5, hard=False).cut([DataSpec(120)], 0, random.Random(0)) == (DataSpec(120),)


def test_spent():
    budget = Budget(max_records=10, max_steps=3, max_seconds=5)
    assert not budget.spent(records=9, steps=2, seconds=4.9)
    assert budget.spent(records=10, steps=0, seconds=0)
    assert budget.spent(records=0, steps=3, seconds=0)
    assert budget.spent(records=0, steps=0, seconds=5)
    assert budget.spent(records=0, steps=1, seconds=0, idle_steps=3)
