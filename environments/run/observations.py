"""The observations of a run as files: exactly what its policy was given, and the reader that gives it back.

``step_KK/observation.json`` has the fields (``dataclasses.asdict``) of what was shown after step KK, for the next
action. Where several teacher calls share a step, later ones were shown ``step_KK/observation_call_N.json``, N from 1.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from environments.run.directory import RunDir
from tasks.errors import RecordError
from tasks.records import read_json, write_json
from teachers.observation import ErrorExample, Observation


class ObservationFiles:
    """Writes the observations of one run.

    A history holds the errors of every step: in full in every file, they grow with the square of the number of steps.
    So a history of more than ``most`` errors names the step in place of its errors, where that step's own file has
    exactly these: ``{"step": 3}`` for the ``errors`` in ``step_03/observation.json``.
    """

    def __init__(self, run_dir: RunDir, most: int = 5_000) -> None:
        self._run_dir = run_dir
        self._most = most
        self._errors: dict[int, tuple[ErrorExample, ...] | None] = {}  # by step, as in its observation.json

    def write(self, observation: Observation) -> None:
        """Writes one observation; the same bytes for the same observation."""
        step = observation.step
        if not observation.call:
            self._errors[step] = observation.errors
        long = sum(len(past.errors) for past in observation.history) > self._most
        repeated = {past.step for past in observation.history if long and past.errors == self._errors_of(past.step)}
        history = [replace(past, errors=()) if past.step in repeated else past for past in observation.history]
        shortened = replace(observation, history=tuple(history))  # nothing is converted that is not written
        plain = TypeAdapter(type(observation)).dump_python(shortened, mode="json")
        for row in plain["history"]:
            if row["step"] in repeated:
                row["errors"] = {"step": row["step"]}
        folder = self._run_dir.make(self._run_dir.step(step))
        write_json(folder / file_name(observation.call), plain)

    def _errors_of(self, step: int) -> tuple[ErrorExample, ...] | None:
        """The errors in a step's observation.json, after a resume from the file; None if there is none."""
        if step not in self._errors:
            path = self._run_dir.step(step) / file_name(0)
            self._errors[step] = read_observation(path).errors if path.is_file() else None
        return self._errors[step]


def file_name(call: int) -> str:
    """The name of the file that holds what a teacher call was shown."""
    return f"observation_call_{call}.json" if call else "observation.json"


def read_observation(path: str | Path) -> Observation:
    """The observation in a file of a run directory, equal to the one that was given to the policy.

    ``path`` is ``RUN/step_KK/observation.json``, or that of a later call; files of the run's other steps are read too.

    Raises:
        MissingFileError: The file, or one that it refers to, does not exist.
        RecordError: It does not hold an observation.
    """
    path = Path(path)
    plain = read_json(path)
    # A dataclass with slots is made as a second class, and the first may live on: the later one counts.
    found = {frozenset(field.name for field in fields(kind)): kind for kind in _kinds(Observation)}.get(
        frozenset(plain)
    )
    if found is None:
        raise RecordError(f"{path} holds no observation (it has {', '.join(plain) or 'nothing'}): restore it.")
    for row in plain["history"] if isinstance(plain["history"], list) else ():
        if not isinstance(row, dict) or not isinstance(row.get("errors"), dict):
            continue
        step = row["errors"].get("step")
        if type(step) is not int or step < 0:
            raise RecordError(f"{path} refers to the errors of step {step!r}: restore it.")
        other = RunDir(path.absolute().parents[1]).step(step) / file_name(0)
        row["errors"] = read_json(other).get("errors")
        if not isinstance(row["errors"], list):
            raise RecordError(f"{other} holds no list of errors, and {path} refers to them: restore it.")
    try:
        return TypeAdapter(found).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RecordError(f"{path} holds no {found.__name__} ({place}: {first['msg']}): restore it.") from None


def _kinds(kind: type[Observation]) -> Iterator[type[Observation]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
