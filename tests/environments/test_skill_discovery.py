"""Skill discovery: every instance gets a skill, whatever the chat model replies."""

import json
import re

import pytest

from environments.skills.discovery import discover_skills
from environments.skills.schemas import SkillCategories, clean_name
from tasks.errors import ConfigurationError
from teachers.chat import ChatError
from tests.environments.skill_sorter import QUESTION, Sorter, TaughtTask, ready, true_skills


def test_every_validation_instance_gets_a_skill(calls_to):
    task, brain = TaughtTask(), Sorter()
    calls = calls_to(brain)
    found = discover_skills(task, calls)
    assert found.assignment == true_skills(task)
    assert [category.name for category in found.categories] == ["the skill0", "the skill1", "the skill2"]
    assert found.sizes == {"the skill0": 16, "the skill1": 16, "the skill2": 16}
    assert found.labels["val-00005"] == "skill1 sub1"
    assert found.model == "test-model"
    assert set(found.counters.items()) == {
        ("labels", 12), ("unlabelled", 0), ("labels_in_no_category", 0),
        ("assigned_by_choice", 0), ("assigned_to_nearest", 0),
    }  # fmt: skip
    assert {(call.purpose, call.step) for call in calls._shared.books.journal.sealed} == {("skills", 0)}
    assert len(brain.bodies) == 48 + 1
    assert brain.bodies[0]["messages"][0] == {"role": "system", "content": "You teach parrots."}
    assert all("saying numbers again" in body["messages"][1]["content"] for body in brain.bodies)


def test_no_test_instance_reaches_a_prompt(calls_to):
    task, brain = TaughtTask(), Sorter()
    brain.categories = lambda prompt: {"categories": [{"name": "one", "labels": ["skill0 sub0"]}]}  # many by choice
    brain.choice = lambda prompt: {"name": "one"}
    skills = ready(task, calls_to(brain))
    assert {skills.skill_of(instance) for instance in task.instances("test")} == {"one"}
    assert len(brain.prompts("SkillChoice")) == 44
    everything = json.dumps(brain.bodies)
    assert all(instance.instruction in everything for instance in task.instances("val"))
    assert not any(instance.instruction in everything for instance in task.instances("test"))


def test_a_wrong_number_of_categories_is_asked_for_again(calls_to):
    task, brain = TaughtTask(), Sorter()
    replies = iter([1, 2, 4])

    def categories(prompt):
        labels = re.findall(r"^- (.+) \(\d+\)$", prompt, re.MULTILINE)
        number = next(replies)
        return {"categories": [{"name": f"group {i}", "labels": labels[i::number]} for i in range(number)]}

    brain.categories = categories
    found = discover_skills(task, calls_to(brain), num_categories=4)
    assert len(found.categories) == 4 and found.num_categories == 4
    assert sum(found.sizes.values()) == 48
    assert "exactly 4 categories" in brain.bodies[48]["messages"][1]["content"]
    assert "exactly 4 categories are wanted, and these are 2" in brain.bodies[-1]["messages"][-1]["content"]


def test_a_model_that_never_gives_the_number_ends_in_one_line(calls_to):
    brain = Sorter()
    with pytest.raises(ChatError, match="invalid_reply") as caught:
        discover_skills(TaughtTask(), calls_to(brain), num_categories=2)
    assert "\n" not in str(caught.value)
    assert len(brain.prompts("SkillCategories")) == 3


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, "num_categories is 0: it must be from 1 to 100"),
        (101, "num_categories is 101"),
        (49, "num_categories is 49, and toy has 48 validation instances"),
        (13, "only 12 distinct labels"),
    ],
)
def test_numbers_that_cannot_be_had(calls_to, number, message):
    with pytest.raises(ConfigurationError, match=message):
        discover_skills(TaughtTask(), calls_to(Sorter()), num_categories=number)


def test_a_label_of_two_categories_belongs_to_the_first(calls_to):
    task, brain = TaughtTask(), Sorter()
    good = brain.categories

    def categories(prompt):
        reply = good(prompt)
        reply["categories"][1]["labels"] += ["Skill0_sub0", "skill1 sub0", "painting"]
        return reply

    brain.categories = categories
    found = discover_skills(task, calls_to(brain))
    assert found.assignment == true_skills(task)
    assert found.counters["labels_in_two_categories"] == 1
    assert found.counters["labels_invented"] == 1
    listed = [label for category in found.categories for label in category.labels]
    assert len(listed) == len(set(listed)) == 12


def test_labels_of_no_category_are_assigned_by_choice_and_then_to_the_nearest(calls_to):
    task, brain = TaughtTask(), Sorter()
    good, good_choice = brain.categories, brain.choice

    def categories(prompt):
        reply = good(prompt)
        for category in reply["categories"]:
            category["labels"] = [label for label in category["labels"] if not label.endswith(("sub1", "sub2"))]
        return reply

    def choice(prompt):
        return {"name": "no such category"} if " sub2: " in prompt else good_choice(prompt)

    brain.categories, brain.choice = categories, choice
    found = discover_skills(task, calls_to(brain))
    assert found.assignment == true_skills(task)
    assert found.counters["labels_in_no_category"] == 6
    assert found.counters["assigned_by_choice"] == 12
    assert found.counters["assigned_to_nearest"] == 12
    asked = brain.prompts("SkillChoice")
    assert len(asked) == 12 + 12 * 3  # bounded re-asks
    assert sum("'no such category' is none of the categories" in prompt for prompt in asked) == 12 * 2


def test_instances_without_a_label_are_assigned_too(calls_to):
    task, brain = TaughtTask(), Sorter()
    good = brain.label
    brain.label = lambda prompt: {"name": "!"} if " sub3: " in prompt else good(prompt)
    found = discover_skills(task, calls_to(brain))
    assert found.counters["unlabelled"] == 12
    assert found.assignment == true_skills(task)
    assert [id_ for id_, label in found.labels.items() if label is None] == [
        instance.instance_id for instance in task.instances("val") if instance.subskill == "sub3"
    ]


def test_too_few_labels_are_an_error(calls_to):
    brain = Sorter()
    brain.label = lambda prompt: {"name": "?"}
    with pytest.raises(ChatError, match=r"labelled 0 of 48 instances \(invalid_reply: 48\)"):
        discover_skills(TaughtTask(), calls_to(brain))


@pytest.mark.parametrize("number", [None, 7])
def test_hundreds_of_labels_are_sorted_in_parts_and_merged(calls_to, number):
    task, brain = TaughtTask(val_size=700), Sorter()
    brain.label = lambda prompt: {"name": "say {2} of {0} {1}".format(*QUESTION.search(prompt).groups())}

    def categories(prompt):
        labels = re.findall(r"^- (.+) \(\d+\)$", prompt, re.MULTILINE)
        count = number or 12
        # the first question is of numbers to say, the last one of the groups that the first made of them
        key = {label: int(re.search(r"\d+", label).group()) % count for label in labels}
        groups = {i: [label for label in labels if key[label] == i] for i in sorted(set(key.values()))}
        return {"categories": [{"name": f"numbers like {i}", "labels": listed} for i, listed in groups.items()]}

    brain.categories = categories
    found = discover_skills(task, calls_to(brain), number)
    assert len(found.categories) == (number or 12)
    assert len(found.assignment) == 700
    for instance in task.instances("val"):
        assert found.assignment[instance.instance_id] == f"numbers like {int(instance.answer) % (number or 12)}"
    asked = brain.prompts("SkillCategories")
    assert len(asked) == 3 + 1
    assert max(prompt.count("\n- ") for prompt in asked) <= 300
    assert found.counters["labels"] == len({instance.instruction for instance in task.instances("val")})


@pytest.mark.parametrize(
    ("text", "name"),
    [("Two_digit  SUMS!", "two digit sums"), ("x-y", "x y"), ("Größe", "größe"), ("a/b (c)", "a b c")],
)
def test_names_are_lower_case_words(text, name):
    assert clean_name(text) == name


@pytest.mark.parametrize("text", ["", " _!? ", "word " * 30])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ValueError, match="a name"):
        clean_name(text)


def test_categories_of_one_name_are_refused():
    with pytest.raises(ValueError, match="'a b' is the name of several"):
        SkillCategories.model_validate({"categories": [{"name": "a_b", "labels": []}, {"name": "A b", "labels": []}]})
