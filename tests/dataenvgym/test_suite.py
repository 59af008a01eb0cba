"""The teacher suite without a student: challenges, jobs for the bank, results, and where a policy stands."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dataenvgym.suite.challenges import challenge, challenges
from dataenvgym.suite.fits import built, sampled_jobs
from dataenvgym.suite.page import planned, strengths, told, write_pages
from dataenvgym.suite.results import Result, read_results, write_results
from dataenvgym.suite.shipped import policies_for
from dataenvgym.suite.standing import Table
from environments.simulation.bank import Fit, line_of, read_bank, write_bank
from tasks.errors import ConfigurationError, MissingFileError, RecordError

NAMES = [one.name for one in challenges()]


@pytest.mark.parametrize("name", NAMES)
def test_every_challenge_composes_with_every_shipped_policy(name: str) -> None:
    one = challenge(name)
    assert one.ability.endswith(".") and one.max_records <= 300
    for named in policies_for(one).values():
        made = built(one, "--teacher.init_args.policy", json.dumps(named.policy))
        assert type(made.teacher.policy).__name__ == named.policy["class_path"].rpartition(".")[2]
    assert {"random", "even", "first_look", "adversarial"} <= set(policies_for(one))


def test_challenges_of_one_world_differ_in_exam_and_budget_alone() -> None:
    worlds = {name: challenge(name).world for name in NAMES}
    assert worlds["relevance-v1"] == worlds["long_tail-v1"] == worlds["mastered-v1"]
    others = ("unlearnable-v1", "noisy_engine-v1", "forgetting-v1", "global_math-v1")
    assert len({worlds["relevance-v1"], *(worlds[name] for name in others)}) == 5
    assert not challenge("forgetting-v1").static and challenge("relevance-v1").static
    with pytest.raises(ConfigurationError, match="no challenge 'chess'"):
        challenge("chess")


def test_sampled_jobs_are_fixed_and_within_the_budget() -> None:
    of = [challenge("relevance-v1"), challenge("long_tail-v1")]
    skills = tuple(f"s{place}" for place in range(3)) + tuple(of[1].exam)
    jobs = sampled_jobs(skills, of, 60, 1_000)
    assert jobs == sampled_jobs(skills, of, 60, 1_000) and jobs[:30] == sampled_jobs(skills, of, 30, 1_000)
    assert jobs[0].kind == "base" and not jobs[0].allocation
    assert all(0 < sum(job.allocation.values()) <= 300 and set(job.allocation) <= set(skills) for job in jobs[1:])
    assert len({(job.kind, job.seed) for job in jobs}) == 60
    assert {job.kind for job in jobs} == {"base", "catalogue", "asked", "few", "even"}


def a_fit(seed: int) -> Fit:
    scores = {"val": {"a": [1.0, 0.0], "b": [0.5]}, "test": {"a": [1.0], "b": [0.0, 1.0]}}
    return Fit("w", "few", seed, {"a": seed}, scores, {"val": {"a": 0.5}, "test": {"a": 0.25}})


def test_a_bank_is_read_as_it_was_written(tmp_path) -> None:
    fits = [a_fit(1), a_fit(2)]
    write_bank(tmp_path / "bank.jsonl.gz", fits)
    assert read_bank(tmp_path / "bank.jsonl.gz") == fits
    assert fits[0].accuracy("a") == pytest.approx(2 / 3) and fits[0].accuracy("b", "test") == 0.5
    before = (tmp_path / "bank.jsonl.gz").read_bytes()
    write_bank(tmp_path / "bank.jsonl.gz", fits)
    assert (tmp_path / "bank.jsonl.gz").read_bytes() == before
    (tmp_path / "log.jsonl").write_text(line_of(fits[0]) + line_of(fits[1])[:30])
    assert read_bank(tmp_path / "log.jsonl") == fits[:1], "a line that a kill cut off is made again"
    (tmp_path / "log.jsonl").write_text("{}\n")
    with pytest.raises(RecordError, match="damaged"):
        read_bank(tmp_path / "log.jsonl")
    with pytest.raises(MissingFileError, match="fit_bank"):
        read_bank(tmp_path / "none.gz")


def results(policy: str, mean: float, seeds: int = 5, challenge: str = "relevance-v1") -> list[Result]:
    rng = np.random.default_rng(len(policy))
    made = []
    for seed in range(seeds):
        test = (rng.random(600) < mean + 0.01 * rng.standard_normal()).astype(float).tolist()
        made.append(
            Result(challenge, policy, seed, test, 0.4, [0.1, 0.2], {"money": 60}, 30.0, {"class_path": policy}, "f")
        )
    return made


def test_where_a_policy_stands(tmp_path) -> None:
    rows = [*results("random", 0.1), *results("oracle", 0.6), *results("even", 0.3), *results("mine", 0.5)]
    table = Table([*rows, *results("bad", 0.05), *results("mine", 0.5, challenge="mastered-v1")])
    share = table.share("relevance-v1", "mine")
    assert share.value == pytest.approx(0.8, abs=0.1) and share.ci95[0] < 0.8 < share.ci95[1]
    assert table.share("relevance-v1", "mine", "even").value == pytest.approx(2 / 3, abs=0.12)
    assert table.scored("relevance-v1") and not table.scored("mastered-v1")
    assert table.overall("mine").value == pytest.approx(share.value, abs=0.05)
    assert "Good at relevance-v1" in strengths(table, "mine")[0]
    assert "Worse than random on relevance-v1" in strengths(table, "bad")[0]
    said = told(table, "mine")
    assert "not scored: no results of random and oracle" in said and "overall" in said
    html, page = (path.read_text() for path in write_pages(table, "mine", {"even": "yardstick"}, tmp_path))
    assert page.index("**mine**") < page.index("| even |") and "The exam asks four" in page
    assert '<tr class="own"><th>mine</th>' in html and "<svg" not in html, "no radar of one challenge"
    assert "relevance-v1" in planned(table, 2.0)


def test_a_radar_from_three_challenges_on(tmp_path) -> None:
    rows = []
    for one in ("relevance-v1", "mastered-v1", "long_tail-v1"):
        ends = {"random": 0.1, "oracle": 0.6, "mine": 0.5, "other": 0.2, "better": 0.4, "even": 0.3}
        rows += [each for policy, mean in ends.items() for each in results(policy, mean, challenge=one)]
    kinds = {"other": "heuristic", "better": "heuristic", "even": "yardstick", "random": "yardstick"}
    html, page = (path.read_text() for path in write_pages(Table(rows), "mine", kinds, tmp_path))
    drawing = html[html.index("<svg") : html.index("</svg>")]
    assert "mine" in drawing and "better" in drawing and "other" not in drawing and "mastered-v1" in drawing
    overall = page[page.index("## Overall") : page.index("## long_tail")]
    assert [line.split("|")[2].strip(" *") for line in overall.splitlines() if line.startswith("|")][2:] == [
        *("", "1", "2", "", "3", "")
    ], "yardsticks have no rank"


def test_a_narrow_gap_is_not_scored() -> None:
    table = Table([*results("random", 0.30), *results("oracle", 0.33), *results("mine", 0.32)])
    assert not table.scored("relevance-v1")
    assert "less than five standard deviations" in told(table, "mine")


def test_stale_results_are_refused() -> None:
    old = [replace(one, fingerprint="g") for one in results("random", 0.1)]
    with pytest.raises(ConfigurationError, match="random on relevance-v1 are stale"):
        Table([*results("mine", 0.5), *old])


def test_results_are_read_as_they_were_written(tmp_path) -> None:
    rows = [*results("b", 0.5, 2), *results("a", 0.5, 2)]
    for name in ("r.jsonl.gz", "r.jsonl"):
        write_results(tmp_path / name, rows)
        assert read_results(tmp_path / name) == sorted(rows, key=lambda one: (one.policy, one.seed))
    (tmp_path / "r.jsonl").write_text("[1]\n")
    with pytest.raises(RecordError, match="damaged"):
        read_results(tmp_path / "r.jsonl")
