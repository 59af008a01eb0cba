"""The sandboxes that tests of programs share: a server takes long to start and keeps nothing of one test for others."""

from collections.abc import Iterator

import pytest

from tasks.code.sandbox import Sandbox
from tests.tasks.code_rows import LEVELS


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    made = {level: Sandbox(level) for level in LEVELS}
    yield made
    for sandbox in made.values():
        sandbox.close()


@pytest.fixture
def sandbox(sandboxes: dict[str, Sandbox], request: pytest.FixtureRequest) -> Sandbox:
    """The one of full isolation, or under ``every_level`` one after the other."""
    return sandboxes[getattr(request, "param", "full")]
