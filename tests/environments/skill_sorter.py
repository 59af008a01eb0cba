"""A chat model that sorts the toy task's questions into skills, for tests of skill discovery."""

import json
import re

from environments.skills import DiscoveredSkills
from tasks.prompting import DomainText
from tests.environments.toy import ToyTask

QUESTION = re.compile(r"^> (skill\d+) (sub\d+): say (\d+)$", re.MULTILINE)


class TaughtTask(ToyTask):
    @property
    def domain_text(self):
        return DomainText("You teach parrots.", "saying numbers again", ())


class Sorter:
    """Replies as a careful model would: labels by skill and subskill, categories by skill. Tests spoil it."""

    def __init__(self):
        self.bodies = []
        self.broken = set()  # schemas whose questions the server does not answer

    def __call__(self, body):
        self.bodies.append(body)
        prompt = next(message["content"] for message in body["messages"] if message["role"] == "user")
        replies = {"SkillLabel": self.label, "SkillCategories": self.categories, "SkillChoice": self.choice}
        return json.dumps(replies[schema_of(body)](prompt))

    def label(self, prompt):
        return {"name": " ".join(QUESTION.search(prompt).group(1, 2))}

    def categories(self, prompt):
        labels = re.findall(r"^- (.+) \(\d+\)$", prompt, re.MULTILINE)
        groups = {}
        for label in labels:
            groups.setdefault(f"The_{label.split()[0]}!", []).append(label)
        return {"categories": [{"name": name, "labels": listed} for name, listed in groups.items()]}

    def choice(self, prompt):
        return {"name": f"the {QUESTION.search(prompt).group(1)}"}

    def fault(self, body, attempt):
        return "quota" if schema_of(body) in self.broken else None

    def prompts(self, name):
        return [body["messages"][-1]["content"] for body in self.bodies if schema_of(body) == name]


def schema_of(body):
    return body["response_format"]["json_schema"]["name"]


def ready(task, calls=None, **settings):
    skills = DiscoveredSkills(task, **{"chat": calls, **settings})
    skills.prepare(lambda work: work())
    return skills


def true_skills(task, split="val"):
    return {instance.instance_id: f"the {instance.skill}" for instance in task.instances(split)}
