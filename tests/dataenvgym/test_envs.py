"""Gymnasium's face of teaching: its checker, seeds, endings, and the law behind the numbers."""

import dataclasses
import json
import os
import threading
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3
from stable_baselines3.common.env_util import make_vec_env
from train_ppo import judged

import dataenvgym
from dataenvgym.envs.simulated import Games, SimulatedTeachingEnv
from dataenvgym.envs.teaching import TeachingEnv
from dataenvgym.envs.wrappers import SimplexAction, SkillByKindAction
from environments.simulation.law_files import law_names
from tasks.errors import ConfigurationError

MATH = "DataEnvGym/SkillList-Math-Sim-v0"
IDS = sorted(name for name in gymnasium.registry if name.startswith("DataEnvGym/"))
SIMULATED = [name for name in IDS if "-Sim-" in name]
REAL = [name for name in IDS if "-Sim-" not in name]
# An episode of a real student that takes a second: what its environments have of their own is how they are composed.
SHORT = {"task.init_args.val_size": 39, "task.init_args.test_size": 39, "trainer.max_epochs": 1}


def checked(name: str, **settings: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        check_env(gymnasium.make(name, **settings).unwrapped)


# Other laws differ in their numbers alone.
@pytest.mark.parametrize("name", [name for name in SIMULATED if "Math-Sim" in name or "SkillList" in name])
def test_gymnasiums_checker_finds_nothing(name: str) -> None:
    checked(name)
    if "Math-Sim" in name:
        checked(name, face="rich")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["OpenEnded-Code", "SkillList-ToolUse", "SkillTree-VQA"])
def test_gymnasiums_checker_finds_nothing_with_real_students(name: str) -> None:
    checked(f"DataEnvGym/{name}-v0", options=SHORT, records=13, steps=2)


@pytest.mark.parametrize("name", [name for name in SIMULATED if "Math-Sim" in name])
def test_stable_baselines_checker_finds_nothing(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env_of_sb3(gymnasium.make(name).unwrapped)


def test_there_are_environments() -> None:
    kinds = ("OpenEnded", "SkillList", "SkillTree")
    domains = ("Math", "Code", "VQA", "ToolUse")
    assert REAL == sorted(f"DataEnvGym/{kind}-{domain}-v0" for kind in kinds for domain in domains)
    assert {MATH, "DataEnvGym/SkillTree-Math-Global-Sim-v0"} <= set(SIMULATED)
    assert len(SIMULATED) == 3 * len(law_names()), "three for each shipped law"


@pytest.mark.parametrize("kind", ["OpenEnded", "SkillList", "SkillTree"])
@pytest.mark.parametrize("face", ["flat", "rich"])
def test_faces_of_all_environments(kind: str, face: str) -> None:
    env = gymnasium.make(f"DataEnvGym/{kind}-Math-Sim-v0", face=face, records=90, steps=3)
    if face == "flat" and kind == "SkillList":
        env = TeachingEnv(kind, face, "math", records=90, steps=3)  # the environment itself, not the fast game
    rows, rewards = [], []
    for seed in (5, 5, 6):
        observation, info = env.reset(seed=seed)
        env.action_space.seed(0)
        seen, gains, over, accepted = [observation], [], False, 0
        while not over:
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            assert env.observation_space.contains(observation) and not truncated
            seen.append(observation)
            gains.append(reward)
            accepted += info["accepted"]
            over = terminated
        assert accepted <= 90 and len(gains) <= 3
        rows.append(seen)
        rewards.append(gains)
    assert rewards[0] == rewards[1] and all(data_equivalence(*pair) for pair in zip(rows[0], rows[1], strict=True))
    assert rewards[0] != rewards[2]
    if face == "rich":
        shown = json.loads(rows[0][-1]["text"])
        assert shown["errors"] and "test" not in shown and "errors" not in shown["history"][0]
        assert ("skills" in shown, "trees" in shown) == (kind != "OpenEnded", kind == "SkillTree")


def test_the_environment_and_the_fast_game_show_the_same_numbers() -> None:
    """The first observation of both, of one exam: everything but the noise of few instances."""
    exam = {"money": 3, "percent": 2, "sequences": 2, "decimals": 1}
    slow = TeachingEnv("SkillList", "flat", "math", options={"task.init_args.variant.exam": exam})
    fast = gymnasium.make(MATH)
    one, _ = slow.reset(seed=0)
    other, _ = fast.reset(seed=0, options={"exam": exam, "member": 0})
    assert one.shape == other.shape and np.allclose(one[18:], other[18:], atol=0.02)
    assert np.abs(one[:18] - other[:18]).max() < 0.15
    action = np.where(one[18:36] > 0, 1.0, -1.0).astype(np.float32)
    for _ in range(5):
        one, *_, over, _, _ = slow.step(action)
        other, *_ = fast.step(action)
    assert over and np.allclose(one[54:72], other[54:72], atol=0.01), "the same records are dealt"
    assert abs(one[-2] - other[-2]) < 0.12


def test_in_the_tree_an_action_explores_or_exploits() -> None:
    env = TeachingEnv("SkillTree", "flat", "math", records=180, steps=5)
    skills = env._face.skills
    env.reset(seed=0)
    explore = np.concatenate([np.where(np.arange(18) < 2, 1.0, -1.0), np.ones(18)]).astype(np.float32)
    observation, *_ = env.step(explore)
    assert (observation[92:110] > 0).all(), "a tree without subskills explores"
    env.step(explore)
    exploit = np.concatenate([explore[:18], -np.ones(18)]).astype(np.float32)
    observation, *_ = env.step(exploit)
    trees = env._observation.trees  # type: ignore[union-attr]
    allocated = [node.allocation for node in trees[skills[0]].subskills]
    assert len(allocated) == 2 and abs(allocated[0] - allocated[1]) <= 1 and sum(allocated) > 10
    assert np.all(observation[110:128] >= 0) and observation[110:112].max() > 0, "measured subskills are shown"


def test_a_real_student_in_gymnasium(tmp_path: Path) -> None:
    options = {**SHORT, "task.init_args.val_size": 36, "task.init_args.test_size": 36}
    env = gymnasium.make("DataEnvGym/SkillList-Math-v0", records=12, steps=2, runs=tmp_path / "runs", options=options)
    first, _ = env.reset(seed=1)
    observation, reward, terminated, truncated, info = env.step(np.ones(18, np.float32))
    assert info == {"accepted": 6, "refused": 0} and not (terminated or truncated)
    assert reward == pytest.approx(observation[-2] - first[-2], abs=1e-6)
    *_, terminated, _, _ = env.step(np.ones(18, np.float32))
    assert terminated
    env.close()
    env.close()
    assert dataenvgym.load(tmp_path / "runs" / "episode-000").summary["status"] == "finished"
    timed = gymnasium.make("DataEnvGym/SkillList-Math-v0", records=12, steps=9, seconds=0.001, options=options)
    observation, _ = timed.reset(seed=1)
    *_, terminated, truncated, _ = timed.step(np.ones(18, np.float32))
    assert (terminated, truncated) == (False, True), "time is not the budget"
    timed.close()


def test_a_hundred_episodes_leave_nothing_open() -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    kinds = [
        gymnasium.make(f"DataEnvGym/{kind}-Math-Sim-v0", records=20, steps=1) for kind in ("OpenEnded", "SkillTree")
    ]
    envs = [*kinds, gymnasium.make(MATH)]
    for env in envs:
        env.reset(seed=0)
    before = held()
    for episode in range(100):
        env = envs[episode % 25 % 3 if episode < 25 else 2]
        env.reset(seed=episode)
        env.action_space.seed(episode)
        over = False
        while not over:
            *_, over, _, _ = env.step(env.action_space.sample())
    for env in envs:
        env.close()
    assert held() == before


def test_wrappers() -> None:
    simplex = SimplexAction(gymnasium.make(MATH))
    simplex.reset(seed=0)
    shares = np.zeros(18, np.float32)
    shares[[3, 7]] = 0.75, 0.25
    observation, *_ = simplex.step(shares)
    dealt = observation[72:90] * 5
    assert dealt[3] == pytest.approx(0.75, abs=0.01) and dealt[7] == pytest.approx(0.25, abs=0.01)
    assert simplex.action_space.contains(shares)
    listed = SkillByKindAction(gymnasium.make(MATH))
    assert listed.action_space == gymnasium.spaces.Discrete(18)
    listed.reset(seed=0)
    observation, *_ = listed.step(4)
    assert observation[72:90].argmax() == 4 and observation[76] > 0.19
    tree = SkillByKindAction(gymnasium.make("DataEnvGym/SkillTree-Math-Sim-v0"))
    assert tree.action_space == gymnasium.spaces.Discrete(36)
    tree.reset(seed=0)
    for action in (2, 18 + 2):  # a tree without subskills explores in any case; then a second one joins it
        observation, *_ = tree.step(action)
    assert observation[92:110].argmax() == 2 and observation[90 + 2 + 2] == pytest.approx(2 / 3, abs=0.01)
    for wrapper in (SimplexAction, SkillByKindAction):
        with pytest.raises(ConfigurationError, match="is for the flat face"):
            wrapper(gymnasium.make("DataEnvGym/OpenEnded-Math-Sim-v0"))
    normal = gymnasium.wrappers.NormalizeObservation(gymnasium.make(MATH))
    assert np.isfinite(normal.reset(seed=0)[0]).all()


@pytest.mark.parametrize("kind", ["OpenEnded", "SkillList", "SkillTree"])
def test_actions_that_are_none_end_in_one_line(kind: str) -> None:
    env = TeachingEnv(kind, "flat", "math", records=60, steps=2)
    env.reset(seed=0)
    size = env.action_space.shape[0]
    for action in (np.full(size, np.nan), np.zeros(size + 1), None, "more", [["a"] * size]):
        with pytest.raises(ConfigurationError, match=rf"An action is {size} (finite )?numbers"):
            env.step(action)
    env.step(np.full(size, 9.0))  # beyond the space: clipped
    rich = TeachingEnv(kind, "rich", "math", records=60, steps=2)
    rich.reset(seed=0)
    order = {"count": 3, "skill": 0, "like": 10**6, "description": ""}
    for change in ({"count": -1}, {"skill": -1}, {"like": None}, {"count": float("nan")}):
        with pytest.raises(ConfigurationError, match="A rich action is a list of orders"):
            rich.step([order | change])
    for action in (None, 3, ["more"]):
        with pytest.raises(ConfigurationError, match="A rich action is a list of orders"):
            rich.step(action)
    with pytest.raises(ConfigurationError, match="up to 64 orders, got 65"):
        rich.step([order] * 65)
    assert rich.step([order])[4] == {"accepted": 3, "refused": 0}


def test_actions_that_are_none_end_in_one_line_in_the_fast_game() -> None:
    env = SimulatedTeachingEnv("math", steps=1)
    with pytest.raises(ConfigurationError, match=r"step\(\) was called before reset"):
        env.step(np.zeros(18, np.float32))
    env.reset(seed=0)
    for action in (np.full(18, np.nan, np.float32), np.zeros(3, np.float32)):
        with pytest.raises(ConfigurationError, match="Actions are finite numbers of shape"):
            env.step(action)
    env.step(np.zeros(18, np.float32))
    with pytest.raises(ConfigurationError, match="after the last step"):
        env.step(np.zeros(18, np.float32))
    vector = gymnasium.make_vec(MATH, num_envs=3, vectorization_mode="vector_entry_point")
    vector.reset(seed=0)
    with pytest.raises(ConfigurationError, match=r"shape \(3, 18\)"):
        vector.step(np.zeros((1, 18), np.float32))


def test_idle_steps_are_an_end_and_not_a_want_of_time() -> None:
    env = TeachingEnv("OpenEnded", "flat", "math", records=60, steps=9)
    env.reset(seed=0)
    ends = [env.step(-np.ones(2))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (True, False)]


def test_a_long_history_is_cut_and_counted() -> None:
    env = TeachingEnv("SkillList", "rich", "math", records=60, steps=2)
    env.reset(seed=0)
    seen = env._observation
    assert seen is not None
    long = dataclasses.replace(seen, history=seen.history * 2000)
    shown = env._face.seen(long)
    assert env.observation_space.contains(shown)
    text = json.loads(shown["text"])
    assert text["errors_not_shown"] == len(seen.errors) and text["errors"] == []
    assert text["history_not_shown"] + len(text["history"]) == 2000


def test_what_teaching_environments_refuse() -> None:
    for settings, said in (
        ({"runs": "here"}, "runs for real ones"),
        ({"options": {"environment.calls_per_step": 2}}, "a step is one call here"),
        ({"kind": "Forest"}, "kind is 'Forest'"),
        ({"face": "round"}, "flat or rich"),
        ({"render_mode": "human"}, "render_mode is 'human'"),
        ({"records": 0}, "records"),
        ({"seconds": -1.0}, "seconds"),
        ({"law": "nowhere"}, "no law 'nowhere'"),
        ({"member": 77}, "member is 77"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            TeachingEnv(**{"kind": "SkillTree", "law": "math", **settings}).reset()
    env = TeachingEnv("SkillTree", "flat", "math")
    with pytest.raises(ConfigurationError, match=r"step\(\) was called before reset"):
        env.step(np.zeros(36, np.float32))
    with pytest.raises(ConfigurationError, match="has no options"):
        env.reset(options={"exam": {}})
    with pytest.raises(ConfigurationError, match="The fast game has no member"):
        gymnasium.make(MATH, member=3)
    with pytest.raises(ConfigurationError, match="member is for simulated students"):
        TeachingEnv("SkillTree", member=3)
    with pytest.raises(ConfigurationError, match="Only the Skill-List environment's flat face is vectorized"):
        gymnasium.make_vec(MATH, num_envs=2, vectorization_mode="vector_entry_point", face="rich")


@pytest.mark.slow
def test_a_library_of_reinforcement_learning_trains_without_glue(tmp_path: Path) -> None:
    """PPO learns what is asked: better than dealing alike over the catalogue, as it begins."""
    env = make_vec_env(MATH, n_envs=16, seed=0)
    model = PPO("MlpPolicy", env, n_steps=20, batch_size=160, learning_rate=1e-3, gamma=1.0, seed=0, device="cpu")
    before = judged(MATH, lambda seen: model.predict(seen, deterministic=True)[0], 60, 10**6)
    model.learn(25_000)
    after = judged(MATH, lambda seen: model.predict(seen, deterministic=True)[0], 60, 10**6)
    assert (after - before).mean() > 0.01


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
        rewards = sum(games.step(actions) for _ in range(games.steps))
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
        ({"exam": {"money": float("inf")}}, "weights of 0 or more"),
        ({"exam": {"money": "much"}}, "weights of 0 or more"),
        ({"exam": 5}, "weights of 0 or more"),
        ({"member": 1.5}, "member is 1.5"),
        ({"exma": {}}, r"reset\(options=…\) has exma; it can have member and exam"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            env.reset(options=options)
    with pytest.raises(ConfigurationError, match="steps"):
        gymnasium.make(MATH, steps=0)
    with pytest.raises(ConfigurationError, match="render_mode is 'human'"):
        SimulatedTeachingEnv("math", render_mode="human")
