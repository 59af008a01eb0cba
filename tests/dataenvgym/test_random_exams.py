"""Games on exams drawn at random: what is drawn, what is run, and the table of the results that ship."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import random_exams
from random_exams import SHIPPED, drawn_exam, entries_of, table

from dataenvgym.suite.results import Result, read_results
from dataenvgym.suite.shipped import BASELINES
from environments.simulation.law_files import read_law
from tasks.errors import ConfigurationError

SKILLS = read_law("math").law.skills


def test_exams_are_of_their_game_and_differ() -> None:
    exams = [drawn_exam(SKILLS, game, 0) for game in range(40)]
    assert exams == [drawn_exam(reversed(SKILLS), game, 0) for game in range(40)]
    assert {len(exam) for exam in exams} == set(range(4, 11)) and len({str(exam) for exam in exams}) == 40
    assert all(set(exam) <= set(SKILLS) and min(exam.values()) >= 1 for exam in exams)
    assert drawn_exam(SKILLS, 0, 0) != drawn_exam(SKILLS, 0, 1)


def test_the_runs_of_a_game(tmp_path: Path) -> None:
    arguments = argparse.Namespace(
        games=2,
        first_game=4,
        policies=["even", "oracle", "learned", "teachers.policies.ThresholdPolicy"],
        challenges=["relevance-v1", "global_math-v1"],
        out=tmp_path,
    )
    entries = entries_of(arguments)
    assert [entry.name for entry in entries] == ["even", "oracle", "learned", "ThresholdPolicy"] * 2
    assert {entry.seed for entry in entries} == {1004, 1005}
    for entry in entries:
        config = entry.challenge.config
        assert config["task"]["init_args"]["seed"] == entry.seed and entry.challenge.exam
        steps = config["environment"]["init_args"]["budget"]["max_steps"]
        assert steps == (1 if entry.name in ("even", "oracle") else 5)
    worlds = [entry.challenge.world for entry in entries]
    assert len(set(worlds[:4])) == len(set(worlds[4:])) == 1 and worlds[0] != worlds[4]
    oracle = entries[1].settings["init_args"]["allocation"]
    assert sum(oracle.values()) == 300 and set(oracle) <= set(SKILLS)
    arguments.challenges = ["forgetting-v1"]
    with pytest.raises(ConfigurationError, match="No law ships of forgetting-v1"):
        entries_of(arguments)


def test_the_table_pairs_games() -> None:
    def result(policy: str, seed: int, right: int) -> Result:
        return Result(
            f"game-{seed}", policy, seed, [1.0] * right + [0.0] * (100 - right), None, [], {}, 0.0, {}, "", ""
        )

    scores = {"even": [20, 40, 30], "oracle": [40, 50, 50], "learned": [30, 45, 40], "other": [20, 40]}
    results = [result(name, seed, right) for name, own in scores.items() for seed, right in enumerate(own)]
    lines = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in table(results, "learned").splitlines()[2:]
    }
    assert lines["learned"][:3] == ["3", "38.3", "0.50 [0.50, 0.50]"]
    assert lines["other"][:2] == ["2", "30.0"] and lines["other"][2].startswith("0.00")
    assert lines["other"][3].startswith("+7.5") and lines["even"][3].startswith("+8.3 [+1.2")


def test_games_of_two_worlds_are_two_games_and_without_yardsticks_there_is_no_share() -> None:
    def result(game: str, policy: str, right: int) -> Result:
        return Result(game, policy, 1000, [1.0] * right + [0.0] * (100 - right), None, [], {}, 0.0, {}, "", "")

    played = [result("game-000-a", "learned", 30), result("game-000-b", "learned", 50)]
    assert "| learned | 2 | 40.0 |  |  |  |" in table(played, "learned"), "nothing says what the gap is"
    yardsticks = [
        result(f"game-000-{world}-at-once", name, n) for world, name, n in (("a", "even", 20), ("a", "oracle", 40))
    ]
    assert "| learned | 1 | 30.0 | 0.50 [0.50, 0.50] |" in table([*played, *yardsticks], "learned")


def test_what_ships_is_on_seeds_of_its_own_and_says_what_the_document_says() -> None:
    results = read_results(SHIPPED)
    assert min(one.seed for one in results) >= random_exams.FIRST_SEED
    used = {one.seed for path in BASELINES.glob("*.jsonl.gz") for one in read_results(path)}
    assert not used & {one.seed for one in results}
    printed = table(results, "learned")
    document = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")
    assert all(line in document for line in printed.splitlines())
    low = float(next(line for line in printed.splitlines() if line.startswith("| learned")).split("[")[1].split(",")[0])
    assert low > 0.5
    assert np.all([0 < one.accuracy < 1 for one in results])
