"""The learned policy: its network in NumPy and torch, what it may depend on, its weights and their training."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import train_policy

from dataenvgym.suite.shipped import BANKS
from environments.simulation.bank import read_bank
from environments.simulation.play import best_of, play
from environments.simulation.randomized import draw_games, half_of, laws_of, rates_of
from tasks.errors import ConfigurationError, RecordError
from tasks.types import Accuracy
from teachers.observation import PastStep, SkillListObservation
from teachers.plan import Explore
from teachers.policies import LearnedPolicy, TopSkillsPolicy
from teachers.policies.learned import FEATURES, FOLDER, features, forward, read_weights
from teachers.teacher import Policy
from tests.environments.toy import ToyTask

NAMES = [f"skill {place}" for place in range(18)]
EVEN = TopSkillsPolicy(ToyTask(), by="weakest", top=100)


@pytest.fixture(scope="module")
def laws():
    world = read_bank(BANKS / "math.jsonl.gz")[0].world
    return laws_of([fit for fit in read_bank(BANKS / "math.jsonl.gz") if fit.world == world], half=1, members=3)


def observation(values, sizes=None, allocations=(), seed=0):
    """Of a student whose accuracies were ``values`` after each step, a row each."""
    names = NAMES[: len(values[0])]
    sizes = sizes or [20] * len(names)
    rows = [
        {name: Accuracy(value if n else None, n) for name, value, n in zip(names, row, sizes, strict=True)}
        for row in values
    ]
    dealt = [{}, *(dict(zip(names, one, strict=True)) for one in allocations)]
    history = tuple(
        PastStep(step, Accuracy(0.5, 100), sum(dealt[step].values()), row, dealt[step]) for step, row in enumerate(rows)
    )
    left = 300 - sum(past.records for past in history)
    return SkillListObservation(
        len(rows) - 1, seed, False, Accuracy(0.5, 100), (), history, left, 6 - len(rows), skills=rows[-1]
    )


def counts(action):
    return {spec.skill: spec.count for spec in action}


def test_numpy_and_torch_agree_on_the_network():
    rng = np.random.default_rng(0)
    weights = read_weights("simulated_students-v1")
    width = weights["output.weight"].shape[0] // 3
    accuracies, before = rng.random((2, 3, 7))
    sizes = rng.integers(0, 30, (3, 7)).astype(float)
    given, last = rng.integers(0, 50, (2, 3, 7)).astype(float)
    left, calls, hidden = rng.random((3, 1)) * 200, np.full((3, 1), 3.0), rng.standard_normal((3, 7, width))

    def outcome(xp, convert):
        parts = [convert(part) for part in (accuracies, sizes, given, last, left, calls, before)]
        shown = features(*parts, xp)
        held = {name: convert(value) for name, value in weights.items()}
        return shown, *forward(held, shown, convert(hidden), xp)

    by_numpy, by_torch = outcome(np, lambda value: value), outcome(torch, torch.as_tensor)
    assert by_numpy[0].shape == (3, 7, FEATURES) and by_numpy[1].shape == (3, 7) and by_numpy[2].shape == (3, 7, width)
    for one, other in zip(by_numpy, by_torch, strict=True):
        assert np.isfinite(one).all() and np.allclose(one, other.numpy())


def test_skills_have_no_names_to_it():
    policy = LearnedPolicy(ToyTask())
    seen = observation([[0.1, 0.5, 0.9, 0.3], [0.4, 0.5, 0.8, 0.3]], [10, 20, 40, 8], [[20, 10, 5, 25]])
    order = [2, 0, 3, 1]
    moved = replace(
        seen,
        skills={NAMES[place]: seen.skills[NAMES[place]] for place in order},
        history=tuple(replace(past, skills=dict(reversed(past.skills.items()))) for past in seen.history),
    )
    assert counts(policy.act(seen)) == counts(policy.act(moved))


def test_it_reads_the_student_the_exam_and_what_came_of_its_records():
    policy = LearnedPolicy(ToyTask())
    asked = counts(policy.act(observation([[0.4] * 6], [60, 20, 20, 0, 0, 0])))
    assert asked["skill 0"] == max(asked.values())
    assert sum(asked.get(f"skill {place}", 0) for place in (3, 4, 5)) <= 6, "validation does not ask them"
    flat = [[0.3, 0.3, 0.3], [0.3, 0.3, 0.3], [0.3, 0.3, 0.3]]
    moving = [[0.3, 0.3, 0.3], [0.5, 0.3, 0.3], [0.65, 0.3, 0.3]]
    dealt = [[20, 20, 20], [20, 20, 20]]
    stays, moves = (counts(policy.act(observation(rows, allocations=dealt))) for rows in (flat, moving))
    assert moves["skill 0"] > stays["skill 0"] + 5
    assert sum(stays.values()) == sum(moves.values()) == 60


@pytest.mark.parametrize("size", [1, 2, 40])
def test_any_number_of_skills_and_any_budget(size):
    policy = LearnedPolicy(ToyTask())
    names = {f"s{place}": Accuracy(0.2, 5) for place in range(size)}
    seen = SkillListObservation(0, 0, False, Accuracy(0.2, 5 * size), (), (PastStep(0, Accuracy(0.2, 9), 0, names),))
    for left, calls in ((None, None), (7, 1), (10_000, 20)):
        action = policy.act(replace(seen, skills=names, records_left=left, calls_left=calls))
        assert sum(counts(action).values()) == replace(seen, records_left=left, calls_left=calls).even_share()


def test_what_was_never_measured_is_dealt_to_as_well():
    names = dict.fromkeys(NAMES[:5], Accuracy(None, 0))
    seen = SkillListObservation(
        0, 0, False, Accuracy(None, 0), (), (PastStep(0, Accuracy(None, 0), 0, names),), 100, 5, skills=names
    )
    assert sum(counts(LearnedPolicy(ToyTask()).act(seen)).values()) == 20


def test_shipped_weights_are_small_and_say_where_they_are_from():
    for path in FOLDER.glob("*.npz"):
        with np.load(path) as arrays:
            facts = str(arrays["facts"])
        assert path.stat().st_size <= 1_000_000 and "scripts/train_policy.py" in facts


@pytest.mark.parametrize("content", [b"", b"no weights", "truncated", "other shapes"])
def test_damaged_weights_end_in_one_line(tmp_path, content):
    path = tmp_path / "own.npz"
    whole = (FOLDER / "simulated_students-v1.npz").read_bytes()
    if content == "other shapes":
        np.savez(path, **{"output.weight": np.zeros((9, 1)), "input.weight": np.zeros((2, 3))})
    else:
        path.write_bytes(whole[:900] if content == "truncated" else content)
    with pytest.raises(RecordError, match="is damaged, no weights"):
        LearnedPolicy(ToyTask(), str(path))
    with pytest.raises(ConfigurationError, match="there are no weights 'nowhere'"):
        LearnedPolicy(ToyTask(), "nowhere")


def test_halves_share_no_allocation_but_the_untrained_student():
    fits = read_bank(BANKS / "math.jsonl.gz")
    world = [fit for fit in fits if fit.world == fits[0].world]
    first, second = (half_of(world, half) for half in (0, 1))
    keys = [{tuple(sorted(fit.allocation.items())) for fit in half} for half in (first, second)]
    assert keys[0] & keys[1] == {()}
    assert len(first) + len(second) == len(world) + 1


def test_drawn_games_are_of_students_that_differ(laws):
    games = draw_games(laws, 200, np.random.default_rng(0), skills=9)
    start = games.expected(rates_of(games, np), np.zeros((200, 9)), np)
    taught = games.expected(rates_of(games, np), np.full((200, 9), 20.0), np)
    assert start.shape == taught.shape == (200, 9)
    assert np.allclose(games.exam.sum(1), 1) and ((games.sizes > 0).sum(1) >= 3).all()
    assert start.std(0).min() > 0.1 and (taught > start + 0.05).mean() > 0.2
    stuck = games.parameters["sign"] == 0
    assert 0.1 < stuck.mean() < 0.3 and (games.parameters["sign"] < 0).mean() > 0.03


def test_no_policy_beats_the_bound_and_the_learned_one_beats_even(laws):
    games = draw_games(laws, 30, np.random.default_rng(1))
    best = best_of(games, 300)
    learned, even = (
        np.array([play(policy, games, place, NAMES, 300, 5).expected for place in range(30)])
        for policy in (LearnedPolicy(ToyTask()), EVEN)
    )
    assert (learned <= best + 0.002).all() and (even <= best + 0.002).all()
    assert (learned - even).mean() > 0.3 * (best - even).mean()


def test_training_plays_the_same_games_as_the_policy(laws):
    """The differentiable game, records in fractions, and the played one, in whole numbers, end alike."""
    games = draw_games(laws, 60, np.random.default_rng(2))
    weights = {
        name: torch.tensor(value, dtype=torch.float32) for name, value in read_weights("simulated_students-v1").items()
    }
    with torch.no_grad():
        expected = train_policy.played(weights, games, 60.0, 5, torch.Generator().manual_seed(0)).numpy()
    policy = LearnedPolicy(ToyTask())
    found = np.array([play(policy, games, place, NAMES, 300, 5).expected for place in range(60)])
    assert abs((expected - found).mean()) < 0.005 and np.corrcoef(expected, found)[0, 1] > 0.98


def test_play_refuses_what_only_an_environment_can_answer(laws):
    class OnTrees(Policy):
        def act(self, observation):
            return {"skill 0": Explore(("a",), 5)}

    class TooMuch(Policy):
        def act(self, observation):
            return EVEN.act(replace(observation, records_left=10_000))

    games = draw_games(laws, 1, np.random.default_rng(3))
    with pytest.raises(ConfigurationError, match="does not order records by skill"):
        play(OnTrees(ToyTask()), games, 0, NAMES, 300, 5)
    with pytest.raises(ConfigurationError, match="ordered 2000 records where 300 were left"):
        play(TooMuch(ToyTask()), games, 0, NAMES, 300, 5)


def test_a_short_training_learns_and_is_repeatable(laws, tmp_path):
    arguments = argparse.Namespace(seed=3, iterations=40, games=64, width=8, lr=1e-2)
    weights, _ = train_policy.train(laws, arguments)
    again, _ = train_policy.train(laws, arguments)
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    train_policy.write_weights(tmp_path / "short.npz", weights, {})
    policy = LearnedPolicy(ToyTask(), str(Path(tmp_path / "short.npz")))
    games = draw_games(laws, 40, np.random.default_rng(4))
    learned, even = (
        np.array([play(one, games, place, NAMES, 300, 5).expected for place in range(40)]) for one in (policy, EVEN)
    )
    assert (learned - even).mean() > 0.003
