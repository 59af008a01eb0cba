"""Simulated students: laws, their calibration, and an episode with one in a real one's place."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dataenvgym
from dataenvgym.suite.shipped import BANKS
from environments.simulation.bank import Fit, read_bank
from environments.simulation.calibration import likelihood_link, persistence, resampled_weights, run_noise
from environments.simulation.law import StaticLaw, logit, logits, rates, sigmoid
from environments.simulation.law_files import law_names, read_law, write_law
from environments.simulation.student import SimulatedLoop, SimulatedStudent
from environments.skills.assignment import NoSkills
from tasks.errors import ConfigurationError, RecordError
from tasks.math import ProceduralMathTask
from tasks.types import TrainingRecord
from tasks.variant import Variant

MATH = ProceduralMathTask(seed=5)


def records(**counts: int) -> list[TrainingRecord]:
    return [TrainingRecord(f"q{i}", "r", "a", skill) for skill, n in counts.items() for i in range(n)]


def test_numpy_and_torch_agree_on_the_formula() -> None:
    import torch

    law = read_law("math").law
    counts = np.random.default_rng(0).integers(0, 60, (7, len(law.skills))).astype(float)
    by_torch = logits(
        rates({name: torch.as_tensor(value) for name, value in law.parameters.items()}, torch),
        torch.tensor(counts),
        torch,
    )
    assert np.allclose(by_torch.numpy(), logits(rates(law.parameters, np), counts, np))
    assert law.accuracy(counts).shape == (25, 7, 18) and law.accuracy(counts[0]).shape == (25, 18)


@pytest.mark.parametrize("name", law_names())
def test_a_shipped_law_says_where_it_is_from(name: str) -> None:
    law = read_law(name)
    assert law.members >= 20 and law.facts["fits"] >= 70 and "scripts/fit_laws.py" in law.facts["command"]
    assert 0 < law.run_sd < 1 and 0 <= law.common_sd < 0.5 and 0 < law.persistence < 1
    assert np.all((law.base >= 0) & (law.base <= 1)) and np.all(law.likelihood[1] > 0)


def test_shipped_laws_are_of_the_shipped_bank() -> None:
    """What fit_laws.py finds of the bank as it is: a bank that grew needs its laws fitted again."""
    bank = BANKS / "math.jsonl.gz"
    law = read_law("math")
    assert law.facts["bank"] == hashlib.sha256(bank.read_bytes()).hexdigest()[:16]
    fits = [fit for fit in read_bank(bank) if fit.world == law.facts["world"]]
    found = persistence(fits, law.law.skills)
    assert found == pytest.approx(law.persistence)
    assert run_noise(fits, law.law.skills, found) == pytest.approx((law.run_sd, law.common_sd))


def test_a_law_is_read_as_it_was_written(tmp_path: Path) -> None:
    law = read_law("math")
    write_law(tmp_path / "mine.npz", law)
    again = read_law(str(tmp_path / "mine.npz"))
    assert (again.run_sd, again.facts, again.law.skills) == (law.run_sd, law.facts, law.law.skills)
    assert all(np.array_equal(again.law.parameters[name], value) for name, value in law.law.parameters.items())
    before = (tmp_path / "mine.npz").read_bytes()
    write_law(tmp_path / "mine.npz", law)
    assert (tmp_path / "mine.npz").read_bytes() == before
    bad = replace(law, base=law.base * np.nan), replace(law, base=law.base[:3]), replace(law, run_sd=float("nan"))
    lacking = {name: value for name, value in law.law.parameters.items() if name != "h"}
    for made in (*bad, replace(law, law=StaticLaw(law.law.skills, lacking)), replace(law, facts={})):
        write_law(tmp_path / "bad.npz", made)
        with pytest.raises(RecordError, match=r"bad.npz is damaged, no law"):
            read_law(str(tmp_path / "bad.npz"))
    (tmp_path / "torn.npz").write_bytes(before[:500])
    with pytest.raises(RecordError, match=r"torn.npz is damaged"):
        read_law(str(tmp_path / "torn.npz"))
    with pytest.raises(ConfigurationError, match="no law 'chess'; there are code_global, math"):
        read_law("chess")


def drawn_fits(own: float, common: float, persisting: float, runs: int = 60) -> list[Fit]:
    """Fits of two allocations of ten skills, drawn with known noise."""
    rng, skills, made = np.random.default_rng(3), [f"s{place}" for place in range(10)], []
    fixed = rng.random((10, 72))
    for allocation in ({"s0": 30}, {"s1": 60}):
        centre = rng.normal(0, 1, 10)
        for seed in range(runs):
            ability = 1 / (1 + np.exp(-(centre + own * rng.standard_normal(10) + common * rng.standard_normal())))
            kept = rng.random((10, 72)) < persisting**0.5
            right = (np.where(kept, fixed, rng.random((10, 72))) < ability[:, None]).astype(float)
            scores = {
                "val": {name: right[place, :24].tolist() for place, name in enumerate(skills)},
                "test": {name: right[place, 24:].tolist() for place, name in enumerate(skills)},
            }
            made.append(Fit("w", "even", seed, allocation, scores, {"val": {}, "test": {}}))
    return made


@pytest.mark.parametrize(("own", "common", "persisting"), [(0.3, 0.0, 0.5), (0.2, 0.4, 0.0), (0.0, 0.0, 0.8)])
def test_noise_is_found_again(own: float, common: float, persisting: float) -> None:
    fits = drawn_fits(own, common, persisting, 150)
    skills = [f"s{place}" for place in range(10)]
    found = persistence(fits, skills)
    assert found == pytest.approx(persisting, abs=0.05)
    assert run_noise(fits, skills, found) == pytest.approx((own, common), abs=0.06)


def test_likelihoods_follow_from_accuracies() -> None:
    law, rng = read_law("math").law, np.random.default_rng(0)
    fits = []
    for seed in range(60):
        counts = rng.integers(0, 60, 18)
        accuracies = law.accuracy(counts)[0]
        scores = {
            split: {
                name: (rng.random(size) < value).astype(float).tolist()
                for name, value in zip(law.skills, accuracies, strict=True)
            }
            for split, size in (("val", 24), ("test", 48))
        }
        given = dict(zip(law.skills, sigmoid(0.5 + 0.8 * logit(accuracies)), strict=True))
        allocation = {name: int(n) for name, n in zip(law.skills, counts, strict=True)}
        fits.append(Fit("w", "few", seed, allocation, scores, {"val": given, "test": given}))
    intercept, slope = likelihood_link(fits, law)
    assert slope == pytest.approx(np.full(18, 0.8), abs=0.02) and intercept == pytest.approx(np.full(18, 0.5), abs=0.05)


def test_resampled_fits_keep_replicates_together_and_the_untrained_student_in_all() -> None:
    fits = [*drawn_fits(0.1, 0.0, 0.0, 3), Fit("w", "base", 0, {}, {"val": {}, "test": {}}, {})]
    weights = resampled_weights(fits, 9, 0)
    assert weights.shape == (9, 7) and np.all(weights[0] == 1) and np.all(weights[:, 6] == 1)
    assert np.all(weights[:, :3] == weights[:, :1]) and weights[1:, :6].std() > 0
    assert np.array_equal(weights, resampled_weights(fits, 9, 0))


def test_a_simulated_student_does_what_its_law_says() -> None:
    student = SimulatedStudent("math", noise=0.0)
    many = ProceduralMathTask(seed=5, test_size=1800)
    loop = SimulatedLoop(many, student, seed=1)
    taught = loop.run(1, records(percent=60, decimals=60), "base", None, NoSkills())
    skills = student.file.law.skills
    counts = np.array([60.0 * (name in ("percent", "decimals")) for name in skills])
    expected = dict(zip(skills, student.file.law.accuracy(counts)[0], strict=True))
    for name in skills:
        scores = [
            one.score
            for one, instance in zip(taught.test, many.instances("test"), strict=True)
            if instance.skill == name
        ]
        assert np.mean(scores) == pytest.approx(expected[name], abs=0.16), name
    base = loop.run(0, (), "base", None, NoSkills())
    assert np.mean([one.score for one in taught.val]) > np.mean([one.score for one in base.val]) + 0.02
    right = next(one for one in taught.test if one.score)
    assert many.score(next(i for i in many.instances("test") if i.instance_id == right.instance_id), right.text) == 1
    assert loop.run(1, records(percent=60, decimals=60), "base", None, NoSkills()) == taught
    other = SimulatedLoop(many, student, seed=2).run(1, records(percent=60, decimals=60), "base", None, NoSkills())
    agree = np.mean([a.score == b.score for a, b in zip(taught.test, other.test, strict=True)])
    assert 0.7 < agree < 0.97, "instances keep their difficulty from run to run, and not entirely"


def test_the_untrained_student_is_the_same_in_all_runs() -> None:
    student = SimulatedStudent("math")
    first, second = (SimulatedLoop(MATH, student, seed).run(0, (), "base", None, NoSkills()) for seed in (1, 2))
    assert first == second
    assert np.mean([one.score for one in first.test]) == pytest.approx(student.file.base.mean(), abs=0.04)


def test_a_student_answers_again_as_it_did() -> None:
    loop = SimulatedLoop(MATH, SimulatedStudent("math"), 1)
    given = loop.run(1, records(money=40), "base", None, NoSkills())
    again = loop.answer(MATH.instances("test"))
    assert [(one.text, one.score) for one in again] == [(one.text, one.score) for one in given.test]
    assert all(one.likelihood is None for one in again), "as the real student's, which measures it in evaluations alone"
    with pytest.raises(ConfigurationError, match="of the skill None, of which the law math knows nothing"):
        loop.answer([replace(MATH.instances("val")[0], skill=None)])


def test_runs_of_a_simulated_student_have_the_noise_of_its_law() -> None:
    """Its runs, taken for fits of a real one, give back what was measured on those."""
    student, fits = SimulatedStudent("math"), []
    for seed in range(40):
        taught = records(**dict.fromkeys(student.file.law.skills, 16))
        evaluation = SimulatedLoop(MATH, student, seed).run(1, taught, "base", None, NoSkills())
        scores: dict[str, dict[str, list[float]]] = {"val": {}, "test": {}}
        for split in ("val", "test"):
            for one, instance in zip(getattr(evaluation, split), MATH.instances(split), strict=True):
                scores[split].setdefault(instance.skill, []).append(one.score)
        fits.append(Fit("w", "even", seed, {"a": 1}, scores, {"val": {}, "test": {}}))
    found = persistence(fits, student.file.law.skills)
    assert found == pytest.approx(student.file.persistence, abs=0.04)
    own, common = run_noise(fits, student.file.law.skills, found)
    assert own == pytest.approx(student.file.run_sd, abs=0.06) and common == pytest.approx(0, abs=0.06)


def test_records_of_no_known_skill_are_not_dropped_silently() -> None:
    strange = TrainingRecord("q", "r", "a", "alchemy")
    with pytest.raises(ConfigurationError, match="of the skill alchemy, of which the law math knows nothing"):
        SimulatedLoop(MATH, SimulatedStudent("math"), 1).run(1, [strange], "base", None, NoSkills())


EPISODE = ["tasks/math_procedural", "students/simulated_math"]


@pytest.mark.parametrize("kind", ["open_ended", "skill_list", "skill_tree"])
def test_every_environment_takes_a_simulated_student(kind: str, tmp_path: Path) -> None:
    configs = [*EPISODE, f"environments/{kind}", f"teachers/{kind}_procedural"]
    options = {"max_records": 240, "max_steps": 3, "seed": 3}
    run = dataenvgym.run(configs, run_dir=tmp_path / "a", **options)
    again = dataenvgym.run(configs, run_dir=tmp_path / "b", **options)
    other = dataenvgym.run(configs, run_dir=tmp_path / "c", settings={"model.member": 7}, **options)
    assert run.status == "finished" and run.steps[-1]["pool"] > 200
    assert run.scores == again.scores != other.scores
    feedback = json.loads((tmp_path / "a" / "step_01" / "feedback.json").read_text())
    assert feedback["errors"] and feedback["likelihood"] is not None
    assert (tmp_path / "a" / "report.html").is_file()
    gained = run.steps[-1]["val"]["overall"]["likelihood"] - run.steps[0]["val"]["overall"]["likelihood"]
    assert gained > 0.005


def test_an_interrupted_run_of_a_simulated_student_goes_on_exactly(tmp_path: Path) -> None:
    configs = [*EPISODE, "environments/skill_tree", "teachers/skill_tree_procedural"]
    options = {"max_records": 240, "max_steps": 3, "seed": 3}
    whole = dataenvgym.run(configs, run_dir=tmp_path / "a", **options)
    cut = tmp_path / "b"
    dataenvgym.run(configs, run_dir=cut, **options)
    lines = (cut / "episode.jsonl").read_text().splitlines(keepends=True)
    (cut / "episode.jsonl").write_text("".join(lines[:2]))  # as a kill in step 2 leaves it, before its plan was made
    (cut / "step_02" / "plan.json").unlink()
    summary = json.loads((cut / "summary.json").read_text())
    (cut / "summary.json").write_text(json.dumps({**summary, "status": "running"}))
    resumed = dataenvgym.run(configs, run_dir=cut, resume=True, **options)
    assert resumed.scores == whole.scores
    assert [line["allocation"] for line in resumed.steps] == [line["allocation"] for line in whole.steps]


def test_what_a_simulated_student_refuses() -> None:
    with pytest.raises(ConfigurationError, match="member is 25; the law math has 0 to 24"):
        SimulatedStudent("math", member=25)
    for noise in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="noise"):
            SimulatedStudent("math", noise=noise)
    with pytest.raises(ConfigurationError, match="no weights and reads no text"):
        SimulatedStudent("math").configure_model()
    from tasks.code import ProceduralCodeTask

    with pytest.raises(ConfigurationError, match=r"law math is of tasks.math.*, and the task is tasks.code"):
        SimulatedLoop(ProceduralCodeTask(seed=1), SimulatedStudent("math"), 0)
    other = ProceduralMathTask(seed=5, variant=Variant(unlearnable=["money"]))
    with pytest.raises(ConfigurationError, match="ProceduralMathTask where money cannot be learnt: give a law of"):
        SimulatedLoop(other, SimulatedStudent("math"), 0)
    with pytest.raises(ConfigurationError, match="start is previous"):
        SimulatedLoop(MATH, SimulatedStudent("math"), 0).run(1, records(money=3), "previous", None, NoSkills())
