"""Environments: the contract for every one, what each shows, and which actions each takes."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import environments
from environments import Budget, Environment, OpenEndedEnvironment, SkillListEnvironment, SkillTreeEnvironment
from environments.skills import SkillAssignment
from environments.testing import check_environment
from tasks.base import Task
from tasks.errors import ConfigurationError
from tasks.types import TaskInstance
from teachers.engines import ProceduralEngine
from teachers.observation import SkillListObservation
from teachers.plan import DataSpec, Exploit, Explore
from teachers.policies import AlternatingPolicy, ErrorProportionalPolicy, MasteryPolicy, NoStatePolicy, OpenEndedPolicy
from tests.environments.toy import ToyTask, made, run


def all_environments():
    """Every environment of the package, wherever it is defined; modules that define none are not imported."""
    for path in sorted(Path(environments.__path__[0]).rglob("*.py")):
        if re.search(r"^class \w+Environment\(", path.read_text("utf-8"), re.MULTILINE):
            parts = path.relative_to(environments.__path__[0]).with_suffix("").parts
            importlib.import_module(".".join(("environments", *parts)))
    found, queue = set(), [Environment]
    while queue:
        kind = queue.pop()
        queue.extend(kind.__subclasses__())
        if not inspect.isabstract(kind) and kind.__module__.startswith("environments."):
            found.add(kind)
    return sorted(found, key=lambda kind: kind.__name__)


ENVIRONMENTS = all_environments()
BUDGETS = [
    Budget(max_records=75, max_steps=6),
    Budget(max_records=75, hard=False),
    Budget(max_steps=2),
]


def test_every_environment_is_found():
    assert {kind.__name__ for kind in ENVIRONMENTS} >= {
        "OpenEndedEnvironment", "SkillListEnvironment", "SkillTreeEnvironment"
    }  # fmt: skip


@pytest.mark.parametrize("kind", ENVIRONMENTS)
@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("options", [{}, {"pool": "latest", "start": "previous", "calls_per_step": 2}])
def test_contract(kind, budget, options):
    task = ToyTask()
    check_environment(lambda: made(kind, budget, task, **options), ProceduralEngine(task))


@pytest.mark.parametrize("policy", [AlternatingPolicy, MasteryPolicy])
def test_contract_with_tree_actions(policy):
    task, budget = ToyTask(), Budget(max_records=300, max_steps=6)
    check_environment(lambda: made(SkillTreeEnvironment, budget, task), ProceduralEngine(task), policy(task).act)


def test_the_student_learns():
    environment = made(OpenEndedEnvironment, Budget(max_records=400, max_steps=4))
    observations = run(environment, OpenEndedPolicy(environment.task))
    assert observations[-1].accuracy.value > observations[0].accuracy.value + 0.3
    assert environment.results[-1].test.overall.value > environment.results[0].test.overall.value + 0.3


def test_what_a_teacher_is_shown_was_measured_on_validation():
    task = ToyTask(val_size=24)  # half as many as test instances, so that no accuracy is the other's
    environment = made(SkillTreeEnvironment, Budget(max_records=100, max_steps=3), task)
    observations = run(environment, MasteryPolicy(task))
    own = {instance.instance_id for instance in task.instances("val")}
    for seen in observations:
        result = environment.results[seen.step]
        assert seen.accuracy == result.val.overall and seen.accuracy.n == 24
        assert seen.skills == result.val.skills
        assert {error.instance_id for error in seen.errors} <= own
        assert [past.accuracy for past in seen.history] == [
            one.val.overall for one in environment.results[: seen.step + 1]
        ]
    wrong = round(24 * (1 - observations[0].accuracy.value))
    assert 0 < len(observations[0].errors) == wrong


def test_open_ended_hides_skills_and_takes_specs_without_state():
    environment = made(OpenEndedEnvironment, Budget(max_steps=2))
    observation = run(environment, NoStatePolicy(environment.task, 20))[-1]
    assert not isinstance(observation, SkillListObservation)
    assert {error.skill for error in observation.errors} == {None}
    assert all(not past.skills and not past.allocation for past in observation.history)
    assert set(environment.results[-1].val.skills) == set(environment.task.skills())


def test_skill_list_shows_skills_and_refuses_unlisted_ones():
    task = ToyTask()
    environment = made(SkillListEnvironment, Budget(max_steps=2), task)
    observation = environment.reset()
    assert list(observation.skills) == list(task.skills())
    assert {error.skill for error in observation.errors} <= set(task.skills())
    with pytest.raises(ConfigurationError, match=r"^A DataSpec names 'painting'; the listed skills are skill0, .*$"):
        environment.plan([DataSpec(3, skill="painting")])
    observation = run(environment, ErrorProportionalPolicy(task, 30))[-1]
    assert sum(observation.history[1].allocation.values()) == 30
    assert observation.history[1].skills == environment.results[1].val.skills


def test_a_task_without_skills_has_no_skill_list():
    class Bare(Task):
        name = "bare"

        def instances(self, split):
            return [TaskInstance("a", "b", "c")]

        def score(self, instance, text):
            return 0.0

    environment = made(SkillListEnvironment, Budget(max_steps=1), Bare())
    with pytest.raises(ConfigurationError, match="bare has no skills to list"):
        environment.reset()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"painting": Explore(("x",), 1)}, "names the skill 'painting'"),
        ({"skill0": Exploit({"sub0": 1})}, "skill0' has none: explore it first"),
        ({"skill0": Explore(("x",), -1)}, "must be a whole number of at least 0"),
        ({"skill0": Explore(("x",), 1.5)}, "is 1.5"),
        ({"skill0": Explore("abc", 1)}, "must be a tuple of names"),
        ({"skill0": Explore((" ",), 1)}, "a subskill needs a name"),
        ({"skill0": "explore"}, "must be Explore or Exploit"),
    ],
)
def test_bad_tree_actions_are_one_line(action, message):
    environment = made(SkillTreeEnvironment, Budget(max_steps=1))
    environment.reset()
    with pytest.raises(ConfigurationError) as caught:
        environment.plan(action)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class GrowingSkills(SkillAssignment):
    def __init__(self, task):
        self.listed = ["skill0"]

    def skills(self):
        return tuple(self.listed)

    def skill_of(self, instance):
        return instance.skill if instance.skill in self.listed else None


def test_a_skill_first_seen_later_gets_a_tree():
    environment = made(SkillTreeEnvironment, Budget(max_steps=4), skills=GrowingSkills)
    policy, engine = AlternatingPolicy(environment.task), ProceduralEngine(environment.task)

    def step(observation):
        return environment.step(engine.generate(environment.plan(policy.act(observation))))

    observation = step(environment.reset())
    assert list(observation.trees) == ["skill0"]
    environment.assignment.listed.append("skill1")
    observation = step(observation)
    assert observation.trees["skill1"].subskills == ()
    observation = step(observation)
    assert observation.trees["skill1"].generated == 60
    assert observation.trees["skill1"].rewards  # known before and after, and acted on
