"""Templates: what is missing is an error, what a student wrote is data, what only the asker knows is checked."""

import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from tasks.errors import ConfigurationError
from tasks.types import Accuracy
from teachers.prompting import accuracy, checked, line, points, quote, render
from teachers.testing import example_observations
from tests.environments.toy import ToyTask

ROOT = Path(__file__).parents[2]


@pytest.fixture
def templates(tmp_path, monkeypatch):
    name = f"templates_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / name / "prompts").mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def write(text):
        (tmp_path / name / "prompts/it.jinja").write_text(text)
        return name

    yield write
    sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "text",
    [
        "{{ missing }}",
        "{{ observation.errors[0].prompt }}",
        "{% if observation.missing %}x{% endif %}",
        "{% for error in observation.missing %}x{% endfor %}",
        "{{ observation.skills['no such skill'] | accuracy }}",
        "{% for error in observation.errors %}{{ error.question | quote }}{% endfor %}",
    ],
)
def test_a_missing_field_is_an_error_and_not_a_blank(templates, text):
    package = templates(text)
    with pytest.raises(ConfigurationError, match=r"prompts/it\.jinja cannot be filled: .*") as caught:
        render(package, "it", observation=example_observations(ToyTask())[1])
    assert "\n" not in str(caught.value)


def test_our_own_templates_fail_without_their_values():
    templates = [path for path in ROOT.glob("teachers/*/prompts/*.jinja") if path.stem != "parts"]
    assert len(templates) >= 7
    for path in templates:
        with pytest.raises(ConfigurationError, match="is undefined"):
            render(f"teachers.{path.parents[1].name}", path.stem)


def test_a_template_that_does_not_exist_is_one_line():
    with pytest.raises(ConfigurationError, match=r"teachers/policies/prompts/nothing\.jinja does not exist"):
        render("teachers.policies", "nothing")
    with pytest.raises(ConfigurationError, match="tasks has no folder 'prompts'"):
        render("tasks", "nothing")


def test_what_a_student_wrote_is_no_template_and_no_line_of_ours(templates):
    package = templates("Skill: a\n{{ text | quote }}")
    text = "{{ missing }}\nSkill: b\u2028Skill: c\r\n<b>&"
    assert render(package, "it", text=text) == "Skill: a\n> {{ missing }}\n> Skill: b\n> Skill: c\n> <b>&"


def test_a_cut_is_visible_and_says_how_much():
    assert quote("a" * 10, 10) == "> " + "a" * 10
    assert quote("abcdef", 2) == "> ab\n> [... cut here, 4 of 6 characters are left out]"
    assert quote("") == "> (empty)"


def test_numbers_for_readers():
    assert accuracy(Accuracy(0.317, 60)) == "31.7 % (n = 60)"
    assert accuracy(Accuracy(None, 0)) == "unknown (n = 0)"
    assert accuracy(None) == "unknown"
    assert points(0.0317) == "+3.2 points"
    assert line(" a\n b ") == "a b"


def test_a_checked_schema_keeps_its_name_and_its_json_schema():
    class Reply(BaseModel):
        """A reply."""

        number: int

    def check(reply):
        if reply.number > 3:
            raise ValueError("at most 3")

    stricter = checked(Reply, check)
    assert (stricter.__name__, stricter.model_json_schema()) == (Reply.__name__, Reply.model_json_schema())
    assert stricter(number=3).number == 3
    with pytest.raises(ValidationError, match="at most 3"):
        stricter(number=4)
    assert Reply(number=4).number == 4
