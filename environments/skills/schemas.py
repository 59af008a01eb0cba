"""What a chat model replies when skills are discovered: a label, categories of labels, a choice among categories."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

_LONGEST_NAME = 80
_WORD = re.compile(r"[^\W_]+")


def clean_name(text: str) -> str:
    """A name as lower-case words: ``Two_digit sums!`` is ``two digit sums``; a ValueError for none or too many."""
    name = " ".join(_WORD.findall(text.lower()))
    if not name:
        raise ValueError(f"a name consists of words, and {text[:40]!r} has none")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"a name is a few words, and {name[:40]!r}… has {len(name)} characters")
    return name


Name = Annotated[str, AfterValidator(clean_name)]


class Strict(BaseModel):
    """What has these fields and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SkillLabel(Strict):
    """The skill that one question asks for."""

    name: Name


class SkillCategory(Strict):
    """A category of skills, with the labels that belong to it."""

    name: Name
    labels: list[Name]


class SkillCategories(Strict):
    """Categories of skills; every label belongs to exactly one of them."""

    categories: list[SkillCategory]

    @model_validator(mode="after")
    def _names_differ(self) -> SkillCategories:
        if not self.categories:
            raise ValueError("at least one category is needed")
        names = [category.name for category in self.categories]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every category needs a name of its own, and {twice[0]!r} is the name of several")
        return self


class SkillChoice(Strict):
    """The category that one question belongs to."""

    name: Name
