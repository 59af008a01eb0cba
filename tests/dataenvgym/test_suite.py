"""The teacher suite without a student: challenges, jobs for the bank, results, and where a policy stands."""

import json
import linecache
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from dataenvgym.cli.main import main
from dataenvgym.suite import canary as canaries
from dataenvgym.suite import shipped as shipping
from dataenvgym.suite.canary import kept_canary
from dataenvgym.suite.challenges import challenge, challenges
from dataenvgym.suite.fingerprints import check_fresh, code_of, fingerprint
from dataenvgym.suite.fits import built, sampled_jobs
from dataenvgym.suite.oracle import best_known
from dataenvgym.suite.page import seeds_by_challenge, strengths, text_summary, write_pages
from dataenvgym.suite.results import Result, read_results, write_results
from dataenvgym.suite.runner import Entry
from dataenvgym.suite.shipped import baselines, policies_for
from dataenvgym.suite.simulated import law_of, simulate
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
    others = (
        "unlearnable-v1",
        "noisy_engine-v1",
        "forgetting-v1",
        *(name for name in NAMES if name.startswith("global")),
    )
    assert len({worlds["relevance-v1"], *(worlds[name] for name in others)}) == 1 + len(others)
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
            Result(
                challenge, policy, seed, test, 0.4, [0.1, 0.2], {"money": 60}, 30.0, {"class_path": policy}, "c", "f"
            )
        )
    return made


def test_where_a_policy_stands(tmp_path) -> None:
    rows = [*results("random", 0.1), *results("oracle", 0.6), *results("even", 0.3), *results("mine", 0.5)]
    table = Table([*rows, *results("bad", 0.05), *results("mine", 0.5, challenge="mastered-v1")], own="mine")
    share = table.share("relevance-v1", "mine")
    assert share.value == pytest.approx(0.8, abs=0.1) and share.ci95[0] < 0.8 < share.ci95[1]
    assert table.share("relevance-v1", "mine", "even").value == pytest.approx(2 / 3, abs=0.12)
    assert table.scored("relevance-v1") and not table.scored("mastered-v1")
    assert table.overall("mine").value == pytest.approx(share.value, abs=0.05)
    assert "Good at relevance-v1" in strengths(table, "mine")[0]
    assert "Worse than random on relevance-v1" in strengths(table, "bad")[0]
    said = text_summary(table, "mine")
    assert "not scored: no results of random and oracle" in said and "overall" in said
    html, page = (path.read_text() for path in write_pages(table, "mine", {"even": "yardstick"}, tmp_path))
    assert page.index("**mine**") < page.index("| even |") and "The exam asks four" in page
    assert '<tr class="own"><th>mine</th>' in html and "<svg" not in html, "no radar of one challenge"
    assert "relevance-v1" in seeds_by_challenge(table, 2.0)


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


def test_the_judged_policy_does_not_settle_what_is_scored() -> None:
    rows = [*results("random", 0.1), *results("oracle", 0.35), *results("even", 0.3)]
    wild = [
        replace(one, policy="mine") for at in (0, 1) for one in results("x", 0.05 + 0.28 * at, 10) if one.seed % 2 == at
    ]
    assert not Table([*rows, *wild]).scored("relevance-v1")
    assert Table([*rows, *wild], own="mine").scored("relevance-v1")
    one_seed = [one for one in rows if one.seed == 0]
    assert not Table(one_seed).scored("relevance-v1") and "one seed" in text_summary(
        Table([*one_seed, *wild], own="mine"), "mine"
    )


def test_no_share_of_a_gap_that_is_not_there() -> None:
    rows = [*results("random", 0.1), *results("oracle", 0.35), *results("even", 0.35), *results("mine", 0.3)]
    table = Table(rows, own="mine")
    assert table.scored("relevance-v1") and not table.scored("relevance-v1", "even")
    assert table.overall("mine") is not None and table.overall("mine", "even") is None
    more = [
        each
        for name in ("random", "oracle", "even")
        for each in results(name, 0.1 + 0.4 * (name == "oracle"), challenge="mastered-v1")
    ]
    assert Table([*rows, *more]).overall("mine") is None, (
        "a mean over other challenges than the others' does not compare"
    )
    assert "not given: no results on mastered-v1" in text_summary(Table([*rows, *more]), "mine")


def test_code_of_a_policy_and_its_bases() -> None:
    one = code_of({"class_path": "teachers.policies.ErrorProportionalPolicy"})
    assert one == code_of({"class_path": "teachers.policies.ErrorProportionalPolicy", "init_args": {"floor": 0.2}})
    assert one != code_of({"class_path": "teachers.policies.RewardHistoryPolicy"})
    nested = {
        "class_path": "teachers.policies.FeedbackAblationPolicy",
        "init_args": {"policy": "teachers.policies.Exp3Policy"},
    }
    assert code_of(nested) != code_of({"class_path": "teachers.policies.FeedbackAblationPolicy"})
    with pytest.raises(ConfigurationError, match=r"nowhere\.Policy cannot be imported"):
        code_of({"class_path": "nowhere.Policy"})


def test_a_narrow_gap_is_not_scored() -> None:
    table = Table([*results("random", 0.30), *results("oracle", 0.33), *results("mine", 0.32)])
    assert not table.scored("relevance-v1")
    assert "less than five standard deviations" in text_summary(table, "mine")


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


def fits_of_a_known_law(count: int) -> list[Fit]:
    """Skill a learns fast, b a little slower, c not at all; none is forgotten."""
    rng, made = np.random.default_rng(0), []
    for seed in range(count):
        records = rng.multinomial(rng.integers(20, 61), rng.dirichlet([0.7] * 3)) if seed else np.zeros(3, dtype=int)
        chances = 1 / (1 + np.exp(3.0 - np.array([1.5, 1.2, 0.0]) * np.log1p(records / 4)))
        scores = {
            split: {
                name: (rng.random(60) < chance).astype(float).tolist()
                for name, chance in zip("abc", chances, strict=True)
            }
            for split in ("val", "test")
        }
        kind = "optimum 1 relevance-v1" if seed in (7, 8) else "few"
        allocation = {name: int(n) for name, n in zip("abc", records, strict=True) if n}
        made.append(Fit("w", kind, seed, allocation, scores, {"val": {}, "test": {}}))
    return made


def test_the_best_known_allocation_says_how_well_it_is_known() -> None:
    exam = {"a": 1.0, "b": 1.0, "c": 2.0}
    one = replace(challenge("relevance-v1"))
    one.__dict__["config"] = {
        **one.config,
        "task": {**one.config["task"], "init_args": {"variant": {"exam": exam}}},
        "environment": {**one.config["environment"], "init_args": {"budget": {"max_records": 60}}},
    }
    known = best_known(one, fits_of_a_known_law(60), "abc")
    allocation = known["allocation"]
    assert sum(allocation.values()) == 60
    # The law that the fits were drawn from is highest at a: 35, b: 25.
    assert 20 <= allocation["a"] <= 42 and 16 <= allocation["b"] <= 40 and allocation.get("c", 0) <= 6
    assert 0 <= known["short_of_optimum"]["mean"] <= known["short_of_optimum"]["most"] < 0.05
    assert [(one["round"], one["fits"]) for one in known["verified"]] == [(1, 2)]
    assert known["predicted"]["accuracy"] == pytest.approx(0.26, abs=0.05) and known["fits"] == 60


def test_a_canary_tells_rounding_from_change(tmp_path, monkeypatch) -> None:
    one, here = challenge("relevance-v1"), {"torch": "2", "threads": "1"}
    monkeypatch.setattr(canaries, "CANARIES", tmp_path / "canaries.json")
    made = {"skill": None, "records": "r", "scores": "0" * 500 + "9" * 100, "platform": here}
    monkeypatch.setattr(canaries, "canary", lambda challenge, skill=None: {**made, "skill": skill})
    with pytest.raises(ConfigurationError, match=r"no canary of relevance-v1: run scripts/fill_baselines"):
        canaries.check_canary(one)
    canaries.keep_canary(one)
    assert canaries.check_canary(one) == "a small fit answers here exactly as it did for the baselines"
    made |= {"scores": "0" * 500 + "9" * 95 + "00000", "platform": {"torch": "2", "threads": "4"}}
    assert "95 of 100 scores as it did for the baselines (rounding: threads 4 for 1)" in canaries.check_canary(one)
    made["scores"] = "0" * 500 + "9" * 94 + "000000"
    with pytest.raises(ConfigurationError, match="baselines of relevance-v1 are stale: a small fit gives 94 of 100"):
        canaries.check_canary(one)
    made["scores"] = "9" * 100
    with pytest.raises(ConfigurationError, match="gives 0 of 600"):
        canaries.check_canary(one)
    made["records"] = "other"
    with pytest.raises(ConfigurationError, match="its engine makes other records"):
        canaries.check_canary(one)


def test_policies_that_do_the_same_tie_exactly() -> None:
    same = [replace(one, policy="twin") for one in results("mine", 0.5)]
    table = Table([*results("mine", 0.5), *same, *results("random", 0.1)])
    assert table.paired_difference("relevance-v1", "twin", "mine") == (0.0, 0.5, 5)
    points, p_value, seeds = table.paired_difference("relevance-v1", "mine", "random")
    assert points == pytest.approx(40, abs=3) and p_value < 1e-4 and seeds == 5
    assert table.paired_difference("relevance-v1", "random", "mine").p_value > 0.999


def test_what_ships_belongs_to_todays_challenges_and_policies() -> None:
    """A result that somebody submits has to pass this: of today's challenge, complete, and by a policy that ships."""
    shipped = baselines(challenges())
    check_fresh(challenges(), shipped)
    for one in challenges():
        named = policies_for(one)
        found = [result for result in shipped if result.challenge == one.name]
        assert len({(result.policy, result.seed) for result in found}) == len(found)
        task = built(one).config_init["task"]
        for result in found:
            settings = named[result.policy].on(one, result.seed).settings
            assert result.settings == settings, f"{result.policy} on {one.name} has other settings"
            assert result.code == code_of(result.settings), (
                f"{result.policy} has other code than its results on {one.name}"
            )
            assert len(result.test) == len(task.instances("test")) and set(result.test) <= {0.0, 1.0}
            assert sum(result.allocation.values()) <= one.max_records
        assert not found or kept_canary(one) is not None


def test_the_canary_of_a_student_that_shows_nothing_is_of_one_skill(tmp_path, monkeypatch) -> None:
    one = challenge("long_tail-v1")
    monkeypatch.setattr(canaries, "CANARIES", tmp_path / "canaries.json")
    shown = {None: "0" * 99 + "9", max(one.exam, key=one.exam.get): "0" * 90 + "9" * 10}
    monkeypatch.setattr(
        canaries,
        "canary",
        lambda challenge, skill=None: {"skill": skill, "records": "r", "scores": shown[skill], "platform": {}},
    )
    canaries.keep_canary(one)
    assert canaries.kept_canary(one)["scores"].endswith("9" * 10)
    assert "exactly" in canaries.check_canary(one)
    shown[canaries.kept_canary(one)["skill"]] = "0" * 94 + "9" * 6
    with pytest.raises(ConfigurationError, match="6 of 10"):
        canaries.check_canary(one)
    shown[canaries.kept_canary(one)["skill"]] = "0" * 93 + "9" * 7
    assert "7 of 10" in canaries.check_canary(one), "a few may differ, however few there are"


@pytest.mark.slow
def test_the_command_on_a_challenge_of_ones_own(tmp_path, monkeypatch, capsys) -> None:
    """Baselines are filled, a policy of the user's folder judged, nothing runs twice, a changed student is refused."""
    import fill_baselines

    folder = tmp_path / "configs" / "challenges"
    folder.mkdir(parents=True)
    small = challenge("relevance-v1").path.read_text(encoding="utf-8")
    for old, new in {
        "seed: 11": "seed: 3\n    val_size: 8\n    test_size: 24",
        "max_records: 300": "max_records: 18",
        "max_steps: 5": "max_steps: 1",
        "max_epochs: 10": "max_epochs: 1",
        "replay: 120": "replay: 8",
    }.items():
        assert small.count(old) == 1
        small = small.replace(old, new)
    (folder / "small-v1.yaml").write_text(small, encoding="utf-8")
    (tmp_path / "my_module.py").write_text(
        "from teachers.policies import ErrorProportionalPolicy as Base\n\n\nclass MyPolicy(Base):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # what the command does with the current folder
    monkeypatch.setattr("dataenvgym.catalogue.FOLDER", tmp_path / "configs")
    for module in (shipping, fill_baselines):
        monkeypatch.setattr(module, "BASELINES", tmp_path / "baselines")
    monkeypatch.setattr(canaries, "CANARIES", tmp_path / "canaries.json")
    world = {"world": challenge("small-v1").world, "exam": challenge("small-v1").exam, "max_records": 18}
    monkeypatch.setattr(shipping, "oracles", lambda: {"small-v1": {"allocation": {"money": 18}, **world}})
    monkeypatch.setattr("sys.argv", ["fill_baselines.py", "--policies", "random", "oracle", "--seeds", "1"])
    assert fill_baselines.main() == 0
    assert fill_baselines.main() == 0
    assert "0 runs made, 2 results kept" in capsys.readouterr().out

    words = ["suite", "my_module.MyPolicy", "--seeds", "1", "--challenges", "small-v1"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "exactly as it did for the baselines" in said and "small-v1" in said
    assert "<h1>MyPolicy</h1>" in (tmp_path / "runs" / "suite" / "MyPolicy.html").read_text(encoding="utf-8")
    (kept,) = read_results(tmp_path / "runs" / "suite" / "MyPolicy.jsonl.gz")
    assert (
        kept.settings == {"class_path": "my_module.MyPolicy", "init_args": {}} and sum(kept.allocation.values()) <= 18
    )
    own = tmp_path / "my_module.py"
    logs = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "suite" / ".grid").iterdir()}
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in logs} == logs, "the same command runs nothing again"

    own.write_text(own.read_text(encoding="utf-8").replace("pass", "better = True"), encoding="utf-8")
    sys.modules.pop("my_module")
    linecache.clearcache()
    capsys.readouterr()
    assert main(words) == 2
    assert "from before a change of the policy's code: choose another --name" in capsys.readouterr().err
    for wrong, said in {
        "my_module.Nope": "my_module.Nope",
        "nowhere.Policy": "nowhere.Policy",
        "MyPolicy": "There is no policy 'MyPolicy'",
    }.items():
        assert main(["suite", wrong, "--challenges", "small-v1", "--dry_run"]) == 2
        assert said in (err := capsys.readouterr().err) and err.count("\n") == 1
    for more in (
        ["--jobs", "0"],
        ["--seeds", "0"],
        ["--first_seed", "-1"],
        ["--plan", "-1"],
        ["--settings", '{"flor": 1}'],
    ):
        assert main([*words, "--dry_run", *more]) == 2
        assert capsys.readouterr().err.count("\n") == 1

    (folder / "small-v1.yaml").write_text(small.replace("lr: 1.0e-3", "lr: 3.0e-3"), encoding="utf-8")
    fingerprint.cache_clear()  # as in another process
    capsys.readouterr()
    assert main(words) == 2
    assert re.fullmatch(r"dataenvgym: error: The baselines of small-v1 are stale: [^\n]+\n", capsys.readouterr().err)


def test_a_policy_is_tried_on_simulated_students(tmp_path, capsys) -> None:
    """The policy and the yardsticks, the same twice, told from real results; without a law, one line."""
    words = ["suite", "teachers.policies.ErrorProportionalPolicy", "--name", "mine", "--simulated"]
    words += ["--seeds", "1", "--jobs", "1", "--out", str(tmp_path)]
    assert main([*words, "--challenges", "relevance-v1", "forgetting-v1"]) == 0
    said = capsys.readouterr()
    assert "left out, since no law of their students ships: forgetting-v1" in said.err
    assert "to be confirmed by real runs" in said.out and "relevance-v1" in said.out
    (kept,) = read_results(tmp_path / "simulated" / "mine.jsonl.gz")
    assert kept.fingerprint.startswith("simulated") and sum(kept.allocation.values()) <= 300
    assert kept.likelihood is not None and len(kept.val) == 6
    page = (tmp_path / "simulated" / "mine.md").read_text()
    assert "Runs of simulated students" in page and "| oracle |" in page
    again = simulate(Entry(challenge("relevance-v1"), "mine", kept.settings, 0))
    assert again == kept
    assert simulate(Entry(challenge("relevance-v1"), "mine", kept.settings, 0), member=3).test != kept.test
    assert main([*words, "--challenges", "forgetting-v1"]) == 2
    assert "No law of a simulated student ships" in capsys.readouterr().err
    assert main([*words, "--dry_run", "--challenges", "relevance-v1"]) == 0
    assert "6 runs of simulated students" in capsys.readouterr().out
    assert main([*words, "--launcher", "ray"]) == 2
    assert "--simulated goes with a policy alone, run here" in capsys.readouterr().err
    assert {law_of(challenge(name)) for name in NAMES} >= {"math", "math_global", "math_noisy_engine", None}


def test_a_policy_is_judged_in_another_environment_by_the_same_yardsticks(tmp_path, capsys) -> None:
    words = ["suite", "PlannedTreePolicy", "--simulated", "--seeds", "1", "--jobs", "1", "--out", str(tmp_path)]
    words += ["--challenges", "relevance-v1"]
    assert main([*words, "--environment", "skill_tree"]) == 0
    (kept,) = read_results(tmp_path / "simulated" / "PlannedTreePolicy_skill_tree.jsonl.gz")
    assert kept.settings["environment"] == "skill_tree" and sum(kept.allocation.values()) <= 300
    assert "PlannedTreePolicy_skill_tree" in (tmp_path / "simulated" / "PlannedTreePolicy_skill_tree.md").read_text()
    capsys.readouterr()
    assert main(words) == 2
    assert "acts on skill trees: use the Skill-Tree environment" in capsys.readouterr().err
    cell = policies_for(challenge("relevance-v1"))["planned_tree"].on(challenge("relevance-v1"), 0).cell
    episode = built(challenge("relevance-v1"), *cell.setting_words()[2:])
    assert episode.config.environment.class_path == "environments.SkillTreeEnvironment"
    assert episode.config.environment.init_args.budget.max_records == 300


def test_a_policy_that_keeps_state_is_not_judged(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "counting.py").write_text(
        "from teachers.plan import DataSpec\n"
        "from teachers.teacher import Policy\n"
        "class Counting(Policy):\n"
        "    calls = 0\n"
        "    def act(self, observation):\n"
        "        self.calls += 1\n"
        "        return [DataSpec(min(self.calls, observation.even_share()))]\n"
    )
    (tmp_path / "weakest_first.py").write_text(
        "from teachers.plan import DataSpec\n"
        "from teachers.teacher import Policy\n"
        "class WeakestFirst(Policy):\n"
        "    def act(self, observation):\n"
        "        asked = {skill: one.value for skill, one in observation.skills.items() if one.n}\n"
        "        return [DataSpec(observation.even_share(), skill=min(asked, key=asked.get))]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    listed = ["suite", "weakest_first.WeakestFirst", "--challenges", "relevance-v1", "--dry_run"]
    assert main(listed) == 0, "a policy for environments that list skills need not act in others"
    capsys.readouterr()
    assert main(["suite", "counting.Counting", "--challenges", "relevance-v1", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "Counting does not keep to what a policy may do: act() must" in said and said.count("\n") == 1
