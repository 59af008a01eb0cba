"""The contract that every environment passes, as a checker for tests: ``check_environment(make, engine)``."""

import dataclasses
import json
from collections.abc import Callable

from pydantic import TypeAdapter

from environments.base import Environment
from tasks.errors import ConfigurationError
from teachers.observation import Observation
from teachers.plan import Action, DataPlan, DataSpec
from teachers.teacher import Engine

# An episode that needs more calls than this is taken for one that never ends.
_MAX_CALLS = 200


def ask_for_anything(observation: Observation) -> Action:
    """The action that every environment takes: an order for anything."""
    return [DataSpec(observation.even_share(20))]


def check_environment(
    make: Callable[[], Environment], engine: Engine, act: Callable[[Observation], Action] = ask_for_anything
) -> None:
    """Checks an environment against the contract by running whole episodes in it.

    ``make`` gives an environment with a new student loop each time; ``act`` gives actions that are valid in it.
    """
    _check_order(make())
    first = _check_episode(make(), engine, act)
    second = _check_episode(make(), engine, act)
    assert first == second, "the same seed, student and records must give the same observations"
    _check_no_records(make())


def _check_order(environment: Environment) -> None:
    for call in (lambda: environment.plan([]), lambda: environment.step([])):
        _refused(call)
    environment.reset()
    _refused(lambda: environment.step([]))
    for nonsense in ([DataSpec(-1)], [DataSpec(1, subskill="alone")], [DataSpec(1, like="no such instance")], 5):
        _refused(lambda action=nonsense: environment.plan(action))  # type: ignore[misc]
    test = environment.task.instances("test")[0].instance_id
    _refused(lambda: environment.plan([DataSpec(1, like=test)]))


def _check_episode(environment: Environment, engine: Engine, act: Callable[[Observation], Action]) -> list[Observation]:
    observations = [environment.reset()]
    _check_observation(environment, observations[0])
    assert observations[0].step == 0, "the first observation is of the untouched student"
    for _ in range(_MAX_CALLS):
        seen = observations[-1]
        if seen.last:
            break
        action = act(seen)
        state = environment.state_dict()
        plan = environment.plan(action)
        assert environment.plan(action) == plan, "plan() must be repeatable"
        assert environment.state_dict() == state, "plan() must not change the environment"
        _check_plan(environment, seen, plan)
        observations.append(environment.step(engine.generate(plan)))
        now = observations[-1]
        _check_observation(environment, now)
        assert (now.step, now.call) > (seen.step, seen.call), "step() must move on"
        assert now.step == seen.step or now.step == seen.step + 1, "step() must finish one step at most"
        _check_state(environment)
    assert observations[-1].last, f"the episode did not end within {_MAX_CALLS} calls"
    _refused(lambda: environment.plan([]))
    return observations


def _check_plan(environment: Environment, observation: Observation, plan: DataPlan) -> None:
    assert (plan.step, plan.call) == (observation.step + 1, observation.call), "a plan is for the coming step"
    assert all(spec.count > 0 for spec in plan.specs), "a plan holds no empty orders"
    if environment.budget.hard and observation.records_left is not None:
        assert plan.count <= observation.records_left, "a hard budget must cut the plan"


def _check_observation(environment: Environment, observation: Observation) -> None:
    assert dataclasses.is_dataclass(observation), "an observation is a frozen dataclass"
    try:
        observation.last = True  # type: ignore[misc]
    except dataclasses.FrozenInstanceError:
        pass
    else:
        raise AssertionError("an observation must be immutable")
    adapter = TypeAdapter(type(observation))
    kept = json.loads(json.dumps(adapter.dump_python(observation, mode="json")))
    assert adapter.validate_python(kept) == observation, "an observation must be the same after a round trip by JSON"
    val = {instance.instance_id: instance for instance in environment.task.instances("val")}
    for error in observation.errors:
        assert error.instance_id in val, f"{error.instance_id} is shown as an error and is no validation instance"
        assert error.right_answer == val[error.instance_id].answer, "an error shows its own right answer"
    assert list(observation.history) == environment.history, "an observation shows the whole history"
    assert [past.step for past in observation.history] == list(range(observation.step + 1))
    assert observation.history[-1].errors == observation.errors, "the last step's errors are those of now"
    limit = environment.budget.max_records
    if limit is not None and environment.budget.hard:
        assert sum(past.records for past in observation.history) <= limit, "the budget was exceeded"


def _check_state(environment: Environment) -> None:
    state = environment.state_dict()
    assert json.loads(json.dumps(state)) == state, "state_dict must be JSON-able"
    environment.load_state_dict(json.loads(json.dumps(state)))
    assert environment.state_dict() == state, "load_state_dict must take back what state_dict gave"


def _check_no_records(environment: Environment) -> None:
    """A teacher that orders nothing leaves student and accuracy as they are, and the episode ends."""
    observation = environment.reset()
    accuracy = observation.accuracy
    for _ in range(_MAX_CALLS):
        if observation.last:
            break
        environment.plan([])
        observation = environment.step([])
        assert observation.accuracy == accuracy, "without records the student must stay as it is"
    assert observation.last, "an episode without records must end"


def _refused(call: Callable[[], object]) -> None:
    try:
        call()
    except ConfigurationError as error:
        assert "\n" not in str(error), "an error is one line"
    else:
        raise AssertionError("an invalid call was not refused with a ConfigurationError")
