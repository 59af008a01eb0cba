"""Gymnasium's face of teaching: its checker, seeds, endings, and the law behind the numbers."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dataenvgym  # noqa: F401  (registers the environments)
from dataenvgym.envs.simulated import Games, SimulatedTeachingEnv
from environments.simulation.law_files import law_names
from tasks.errors import ConfigurationError

MATH = "DataEnvGym/SkillList-Math-Sim-v0"
IDS = sorted(name for name in gymnasium.registry if name.startswith("DataEnvGym/"))


@pytest.mark.parametrize("name", IDS)
def test_gymnasiums_checker_finds_nothing(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name).unwrapped)


def test_there_are_environments() -> None:
    assert {MATH, "DataEnvGym/SkillList-Math-Global-Sim-v0"} <= set(IDS)
    assert len(IDS) == len(law_names()), "one for each shipped law"


def test_an_episode_ends_with_its_budget_and_is_of_its_seed() -> None:
    env = gymnasium.make(MATH, records=100, steps=4)
    seen = []
    for seed in (3, 3, 4):
        observation, info = env.reset(seed=seed)
        rows, rewards = [observation], [info["expected_accuracy"]]
        for turn in range(4):
            observation, reward, terminated, truncated, info = env.step(np.full(18, 0.1, np.float32))
            assert (terminated, truncated) == (turn == 3, False)
            rows.append(observation)
            rewards.append(reward)
        assert observation[-1] == 0 and observation[54:72].sum() == pytest.approx(1), "all records are dealt"
        assert sum(rewards[1:]) == pytest.approx(rows[-1][-2] - rows[0][-2], abs=1e-5), (
            "rewards are gains of validation"
        )
        seen.append(np.array(rows))
    assert np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[0], seen[2])


def test_what_is_not_asked_is_not_shown() -> None:
    env = gymnasium.make(MATH)
    observation, _ = env.reset(seed=0, options={"exam": {"money": 3, "units": 1}, "member": 2})
    accuracies, asked = observation[:18], observation[18:36]
    skills = env.unwrapped.games.skills
    assert asked[skills.index("money")] == pytest.approx(0.75) and np.count_nonzero(asked) == 2
    assert not np.any(accuracies[asked == 0])


def test_teaching_what_is_asked_pays_and_noise_averages_out() -> None:
    exam = {"percent": 1.0, "decimals": 1.0}
    games = Games("math", exam=exam, number=400)
    rng = np.random.default_rng(0)
    ends = {}
    for name, wanted in (("asked", exam), ("others", {"parity": 1.0})):
        games.reset(rng, member=0)
        start = games.expected().copy()
        actions = np.tile(np.where([skill in wanted for skill in games.skills], 1.0, -1.0), (400, 1)).astype(np.float32)
        rewards = sum(games.step(actions, rng) for _ in range(games.steps))
        ends[name] = games.expected()
        assert rewards.mean() == pytest.approx((games.expected() - start).mean(), abs=0.01)
        assert name == "others" or rewards.std() > 0.01
    assert ends["asked"].mean() > ends["others"].mean() + 0.3
    counts = games.counts[0]
    expected = games.file.law.accuracy(counts)[0]
    weights = np.array([exam.get(skill, 0) for skill in games.skills]) / 2
    assert ends["others"][0] == pytest.approx(expected @ weights, abs=1e-4), "the games' law is the file's"


def test_many_games_are_single_games_side_by_side() -> None:
    vector = gymnasium.make_vec(MATH, num_envs=50, vectorization_mode="vector_entry_point", steps=2)
    first, _ = vector.reset(seed=1)
    assert first.shape == (50, 92) and vector.observation_space.contains(first)
    action = vector.action_space.sample()
    for over in (False, True):
        observation, reward, terminated, truncated, _ = vector.step(action)
        assert terminated.tolist() == [over] * 50 and not truncated.any() and reward.shape == (50,)
    observation, reward, terminated, _, _ = vector.step(action)
    assert not terminated.any() and not reward.any() and np.all(observation[:, 54:90] == 0), "new games, no records yet"
    again, _ = vector.reset(seed=1)
    assert np.array_equal(first, again) and not np.array_equal(first, observation)
    assert len({tuple(row) for row in first[:, 18:36].round(4)}) > 40, "each game has an exam of its own"


def test_pictures_and_lines() -> None:
    env = gymnasium.make(MATH, render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    env.step(np.zeros(18, np.float32))
    after = env.render()
    assert before.shape == after.shape == (300, 400, 3) and before.dtype == np.uint8 and np.any(before != after)
    lines = gymnasium.make(MATH, render_mode="ansi")
    lines.reset(seed=0)
    lines.step(np.zeros(18, np.float32))
    assert lines.render().startswith("validation ") and lines.render().count("%") == 2


def test_what_is_refused() -> None:
    env = gymnasium.make(MATH)
    for options, said in (
        ({"member": 99}, "member is 99; the law has 0 to 24"),
        ({"exam": {"alchemy": 1}}, "exam is .*alchemy"),
        ({"exam": {"money": -1}}, "weights of 0 or more"),
        ({"exma": {}}, r"reset\(options=…\) has exma; it can have member and exam"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            env.reset(options=options)
    with pytest.raises(ConfigurationError, match="steps"):
        gymnasium.make(MATH, steps=0)
    with pytest.raises(ConfigurationError, match="render_mode is 'human'"):
        SimulatedTeachingEnv("math", render_mode="human")
