"""Clustered skills: a partition of all instances from validation texts alone, and episodes that teach by it."""

import json
from pathlib import Path

import pytest

from dataenvgym.cli.main import main
from environments import Budget, SkillListEnvironment
from environments.skills import ClusteredSkills
from environments.testing import check_environment
from tasks.errors import ConfigurationError
from tasks.math import ProceduralMathTask
from tasks.similarity import fit_vectors, plain
from tasks.types import TaskInstance, TrainingRecord
from teachers.engines import ProceduralEngine
from teachers.plan import DataSpec
from teachers.policies import LikeErrorsPolicy
from tests.environments.toy import ToyTask, made, run


@pytest.fixture(scope="module")
def maths():
    return ProceduralMathTask(val_size=216, test_size=216)


def clustered(task, number):
    skills = ClusteredSkills(task, number)
    skills.prepare(lambda work: work())
    return skills


def test_the_clusters_are_the_skills_where_these_are_plain_to_see():
    task = ToyTask()
    skills = clustered(task, 12)
    for split in ("val", "test"):
        for instance in task.instances(split):
            assert skills.skill_of(instance) == f"{instance.skill} {instance.subskill}"


@pytest.mark.parametrize("number", [1, 6, 18, 40])
def test_as_many_skills_as_wanted_with_names_of_their_own(maths, number):
    skills = clustered(maths, number)
    assert len(skills.skills()) == len(set(skills.skills())) == number
    assert {skills.skill_of(instance) for instance in maths.instances("val")} == set(skills.skills())
    assert all(name and name == " ".join(name.split()) and len(name) < 80 for name in skills.skills())
    assert {skills.skill_of(instance) for instance in maths.instances("test")} <= set(skills.skills())


def test_the_same_partition_every_time(maths):
    first, second = clustered(maths, 18), clustered(maths, 18)
    assert first.skills() == second.skills()
    everything = [*maths.instances("val"), *maths.instances("test")]
    assert [first.skill_of(instance) for instance in everything] == [
        second.skill_of(instance) for instance in everything
    ]


def test_names_say_what_the_questions_say(maths):
    skills = clustered(maths, 18)
    texts = {name: [] for name in skills.skills()}
    for instance in maths.instances("val"):
        texts[skills.skill_of(instance)].append(plain(instance.instruction))
    worded = [name for name in texts if all(any(word in text for text in texts[name]) for word in name.split())]
    assert len(worded) >= 17  # the questions without words are named by their signs
    assert any("sign" in name for name in texts)


def test_only_validation_instructions_are_looked_at():
    class Blindfolded(ToyTask):
        def instances(self, split):
            assert split == "val"
            made = super().instances(split)
            return [TaskInstance(each.instance_id, each.instruction, "", None, None) for each in made]

    assert len(clustered(Blindfolded(), 12).skills()) == 12


def test_a_record_counts_like_the_instances_that_it_is_like(maths):
    skills = clustered(maths, 18)
    for instance in maths.instances("val")[:54]:
        twin = TrainingRecord(instance.instruction, "", "", skill="addition")
        assert skills.skill_of(maths.as_instance(twin)) == skills.skill_of(instance)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, "ClusteredSkills: num_categories is 0; it must be at least 1."),
        (49, "num_categories is 49, and toy has 48 validation instances: give at most so many."),
        (13, "num_categories is 13, and only 12 validation instructions of toy differ, numbers aside"),
    ],
)
def test_numbers_that_cannot_be_had(number, message):
    with pytest.raises(ConfigurationError) as caught:
        clustered(ToyTask(), number)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_they_have_to_be_prepared():
    with pytest.raises(ConfigurationError, match="call prepare"):
        ClusteredSkills(ToyTask(), 3).skills()


def test_vectors_mask_numbers():
    vectorizer, vectors = fit_vectors(["Add 12 and 7", "add 3 and 440", "other"])
    for same in (vectors[1], vectorizer.transform(["ADD 1 AND 2"])):
        assert abs(vectors[0] - same).max() < 1e-12
    assert plain("X1 has 12") == "x1 has 0"


def listed_environment(task, number):
    return made(
        SkillListEnvironment,
        Budget(max_records=120, max_steps=3),
        task,
        skills=lambda task: ClusteredSkills(task, number),
    )


def test_contract_of_environments():
    task = ToyTask()
    check_environment(lambda: listed_environment(task, 6), ProceduralEngine(task))


def test_records_are_counted_under_the_listed_skills():
    task = ToyTask()
    environment = listed_environment(task, 12)
    observation = environment.reset()
    errors = list({error.skill: error for error in observation.errors}.values())
    assert len(errors) > 8
    specs = [DataSpec(place + 1, skill=error.skill, like=error.instance_id) for place, error in enumerate(errors)]
    observation = environment.step(ProceduralEngine(task).generate(environment.plan(specs)))
    wanted = {error.skill: place + 1 for place, error in enumerate(errors)}
    assert observation.history[-1].allocation == wanted
    assert environment.results[-1].allocation == wanted


def test_the_gold_skills_of_open_records_are_counted_under_the_listed_ones():
    task = ToyTask()
    environment = listed_environment(task, 12)
    environment.reset()
    observation = environment.step(ProceduralEngine(task).generate(environment.plan([DataSpec(24)])))
    assert set(observation.history[-1].allocation.values()) == {2}
    assert set(observation.history[-1].allocation) == set(observation.skills)


def test_a_teacher_learns_the_skills_that_were_found():
    task = ToyTask()
    environment = listed_environment(task, 6)
    observations = run(environment, LikeErrorsPolicy(task))
    assert observations[-1].last
    assert observations[-1].accuracy.value > observations[0].accuracy.value
    for past in observations[-1].history[1:]:
        assert set(past.allocation) <= set(environment.assignment.skills())
        assert sum(past.allocation.values()) == past.records == 40


@pytest.mark.slow
def test_a_real_episode(episode_words, tmp_path):
    policy = {"class_path": "teachers.policies.LikeErrorsPolicy"}
    skills = {"class_path": "environments.skills.ClusteredSkills", "init_args": {"num_categories": 6}}
    words = episode_words(
        tmp_path / "run",
        *("--teacher.init_args.policy", json.dumps(policy)),
        *("--environment.init_args.skills", json.dumps(skills)),
        environment="skill_list",
        teacher="skill_list_procedural",
    )
    assert main(words) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["status"], summary["steps"], summary["records"]) == ("finished", 2, 60)
    assert len(summary["skills"]) == 6
    steps = [json.loads(line) for line in Path(tmp_path / "run" / "episode.jsonl").read_text().splitlines()]
    for step in steps[1:]:
        assert set(step["allocation"]) <= set(summary["skills"])
        assert sum(step["allocation"].values()) == 30
    plan = json.loads((tmp_path / "run" / "step_01" / "plan.json").read_text())
    assert "val-" in json.dumps(plan)
