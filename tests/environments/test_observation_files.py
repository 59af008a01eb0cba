"""observation.json holds exactly what the policy was given, and feedback.json the skills that it was shown."""

import copy
import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dataenvgym.cli.main import main
from environments import Budget, OpenEndedEnvironment, SkillListEnvironment, SkillTreeEnvironment
from environments.run.directory import RunDir
from environments.run.observations import ObservationFiles, file_name, read_observation
from environments.skills import ClusteredSkills
from environments.skills.frozen import Fingerprint, FrozenCategory, FrozenSkills, write_skills
from tasks.base import Task
from tasks.errors import MissingFileError, RecordError
from tasks.math import ProceduralMathTask
from tasks.types import Accuracy
from teachers import Action, Batch, DataSpec, Observation, Policy
from teachers.engines import ProceduralEngine
from teachers.observation import ErrorExample, PastStep, SkillListObservation, SkillTreeObservation
from teachers.plan import DataPlan, Explore
from teachers.policies import AlternatingPolicy, ErrorProportionalPolicy, OpenEndedPolicy
from tests.environments.interrupted import cut_after
from tests.environments.toy import Kept, Killed, LookupLoop, MemoryRecorder, ToyTask, run

GIVEN: list[Observation] = []


class WatchedPolicy(Policy):
    """Keeps a copy of everything that it is given, and orders by it; grows trees where it is shown any."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def act(self, observation: Observation) -> Action:
        GIVEN.append(copy.deepcopy(observation))
        share = observation.even_share()
        if isinstance(observation, SkillTreeObservation):
            skills = list(observation.trees)[:2]
            name = f"proposed at {observation.step}/{observation.call}"
            return {skill: Explore((name,), max(1, share // 8)) for skill in skills}
        return [DataSpec(share)]


class AnyNameEngine(ProceduralEngine):
    def generate(self, plan: DataPlan) -> Batch:
        anything = replace(plan, specs=tuple(DataSpec(spec.count) for spec in plan.specs))
        names = [(spec.skill, spec.subskill) for spec in plan.specs for _ in range(spec.count)]
        made = super().generate(anything)
        renamed = zip(made, names, strict=False)
        return Batch(tuple(replace(record, skill=skill, subskill=subskill) for record, (skill, subskill) in renamed))


class FileRecorder(MemoryRecorder):
    def __init__(self, kept: Kept, folder: Path) -> None:
        super().__init__(kept)
        self._files = ObservationFiles(RunDir(folder))

    def keep_observation(self, observation: Observation) -> None:
        super().keep_observation(observation)
        self._files.write(observation)
        self.kept.tick()


def frozen(task: Task, path: Path) -> Path:
    """A file of skills as a chat model might find them: not the task's own, and one without any instance."""
    found = {one.instance_id: f"found {len(one.instruction) % 3}" for one in task.instances("val")}
    names = [*sorted(set(found.values()), reverse=True), "found nowhere"]
    write_skills(
        path,
        FrozenSkills(
            fingerprint=Fingerprint.of(task),
            model="a-model",
            num_categories=None,
            categories=[FrozenCategory(name=name, labels=[name]) for name in names],
            labels=found,
            assignment=found,
            counters={},
        ),
    )
    return path


def environments_of(task: ToyTask):
    clusters = {"skills": lambda task: ClusteredSkills(task, 5)}
    alternating = AlternatingPolicy(task, new_subskills=1, records_each=9)
    return {
        "open_ended": (OpenEndedEnvironment, {}, OpenEndedPolicy(task)),
        "skill_list": (SkillListEnvironment, {}, ErrorProportionalPolicy(task)),
        "skill_list, clustered": (SkillListEnvironment, {"calls_per_step": 2} | clusters, WatchedPolicy(task)),
        "skill_tree": (SkillTreeEnvironment, {"calls_per_step": 3}, alternating),
        "skill_tree, clustered": (SkillTreeEnvironment, clusters, WatchedPolicy(task)),
    }


def path_of(folder: Path, observation: Observation) -> Path:
    return RunDir(folder).step(observation.step) / file_name(observation.call)


def order_of(value):
    """The keys of all mappings in a value, in their order: a policy sees that too."""
    if isinstance(value, dict):
        return [(key, order_of(item)) for key, item in value.items()]
    return [order_of(item) for item in value] if isinstance(value, (list, tuple)) else None


def same(read: Observation, given: Observation) -> bool:
    return (
        type(read) is type(given)
        and read == given
        and repr(read) == repr(given)
        and order_of(dataclasses.asdict(read)) == order_of(dataclasses.asdict(given))
    )


@pytest.mark.parametrize("name", environments_of(ToyTask()))
def test_files_equal_what_was_given_also_after_a_kill_at_any_moment(name, tmp_path):
    task = ToyTask()
    kind, options, policy = environments_of(task)[name]
    engine = (AnyNameEngine if "clustered" in name else ProceduralEngine)(task)

    def observed(kept: Kept, folder: Path) -> list[Observation]:
        recorder, budget = FileRecorder(kept, folder), Budget(max_records=150, max_steps=4)
        return run(kind(task, LookupLoop(task, kept=kept), recorder, budget, **options), policy, engine)

    shown = observed(Kept(), tmp_path / "whole")
    assert len(shown) > 4
    for observation in shown:
        path = path_of(tmp_path / "whole", observation)
        assert same(read_observation(path), observation)
        assert json.loads(path.read_text(encoding="utf-8")) == json.loads(json.dumps(dataclasses.asdict(observation)))
    bytes_of = {path.relative_to(tmp_path / "whole"): path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert len(bytes_of) == len(shown)
    for moment in range(0, 500, 5 if "clustered" in name else 1):  # clusters are found again in each
        kept, folder = Kept(kill_in=moment), tmp_path / f"killed{moment}"
        try:
            observed(kept, folder)
            break
        except Killed:
            kept.kill_in = None
        observed(kept, folder)
        again = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.json")}
        assert again == bytes_of, moment
    assert moment > 20


def stored(folder: Path, observation: Observation, files: ObservationFiles) -> Path:
    """Where an observation was written, and the same is read."""
    files.write(observation)
    assert same(read_observation(path_of(folder, observation)), observation)
    return path_of(folder, observation)


def an_observation(step: int, errors: int = 50, **changes) -> Observation:
    wrong = tuple(ErrorExample(f"val-{i}", f"{i} \u2028 “é” \x00", "a\\b\n", "|", None) for i in range(errors))
    past = tuple(PastStep(k, Accuracy(0.1 + 0.2, 3), k, errors=wrong) for k in range(step + 1))
    known = {"step": step, "seed": 7, "last": False, "accuracy": past[-1].accuracy, "errors": wrong, "history": past}
    return Observation(**{**known, **changes})


def test_errors_are_stored_once_for_each_step(tmp_path):
    files = ObservationFiles(RunDir(tmp_path), most=100)
    sizes = [stored(tmp_path, an_observation(step), files).stat().st_size for step in range(12)]
    assert sizes[-1] < 1.5 * sizes[0]
    resumed = ObservationFiles(RunDir(tmp_path), most=100)
    assert stored(tmp_path, an_observation(11, call=2), resumed).stat().st_size < 1.5 * sizes[0]
    for step in (3, 11):  # a history that is not long is written out
        path = stored(tmp_path, an_observation(step), ObservationFiles(RunDir(tmp_path)))
        whole = json.loads(json.dumps(dataclasses.asdict(an_observation(step))))
        assert json.loads(path.read_text(encoding="utf-8")) == whole


def test_errors_that_differ_from_those_of_their_step_are_written_out(tmp_path):
    """An environment may show another past than it showed then; what is read is still what was given."""
    stored(tmp_path, an_observation(0), ObservationFiles(RunDir(tmp_path), most=0))
    stored(tmp_path, an_observation(1, errors=40), ObservationFiles(RunDir(tmp_path), most=0))
    other = an_observation(1, errors=40, call=1, history=an_observation(1, errors=3).history)
    stored(tmp_path, other, ObservationFiles(RunDir(tmp_path), most=0))
    assert read_observation(tmp_path / "step_01/observation_call_1.json").call == 1


def plain(**changes) -> str:
    known = {field.name: None for field in dataclasses.fields(Observation)} | {"errors": []}
    return json.dumps({**known, "step": 0, "seed": 0, "last": True, "accuracy": {"value": None, "n": 0}, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "holds no observation"),
        ('{"step": 1}', "holds no observation"),
        (plain(step="x"), r"holds no Observation \(step:"),
        (plain(errors={"step": 0}), r"holds no Observation \(errors:"),
        (plain(history=3), r"holds no Observation \(history:"),
        (plain(history=[3]), r"holds no Observation \(history.0:"),
        (plain(history=[{"errors": {"step": 5}}]), "does not exist"),
        (plain(history=[{"errors": {"step": "../../x"}}]), "refers to the errors of step"),
        (plain(errors=None, history=[{"errors": {"step": 0}}]), "no list of errors"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, text, message):
    (tmp_path / "step_00").mkdir()
    path = tmp_path / "step_00" / "observation.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises((RecordError, MissingFileError), match=message) as raised:
        read_observation(path)
    assert "\n" not in str(raised.value)


CASES = [
    ("open_ended", "gold", 1),
    ("skill_list", "gold", 1),
    ("skill_list", "discovered", 1),
    ("skill_tree", "clustered", 3),
    ("skill_tree", "discovered", 2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "kind", "calls"), CASES)
def test_an_episode_keeps_what_its_policy_received(environment, kind, calls, episode_words, tmp_path):
    settings = ["--environment.calls_per_step", str(calls)]
    if kind == "clustered":
        settings += ["--environment.skills", "environments.skills.ClusteredSkills"]
        settings += ["--environment.skills.init_args.num_categories", "7"]
    if kind == "discovered":
        path = frozen(ProceduralMathTask(val_size=54, test_size=54), tmp_path / "skills.json")
        settings += ["--environment.skills", "environments.skills.DiscoveredSkills"]
        settings += ["--environment.skills.init_args.path", str(path)]
    if kind != "gold":
        settings += ["--teacher.init_args.engine", f"{__name__}.AnyNameEngine"]
    policy = f"{__name__}.WatchedPolicy"
    run_dir = tmp_path / "run"
    words = episode_words(run_dir, *settings, "--teacher.init_args.policy", policy, environment=environment)
    GIVEN.clear()
    assert main(words) == 0
    given = list(GIVEN)
    assert len(given) >= 2
    check(run_dir, given, kind, environment)
    before = {path: path.read_bytes() for path in run_dir.glob("step_*/*.json")}
    # As a kill after step 1 leaves it: the resumed process knows nothing but the files.
    cut_after(run_dir, steps=1)
    shutil.rmtree(run_dir / "step_02")
    for path in run_dir.glob("step_01/observation*.json"):
        path.unlink()
    GIVEN.clear()
    assert main([*words, "--resume"]) == 0
    assert GIVEN and all(same(again, first) for again, first in zip(GIVEN[::-1], given[::-1], strict=False))
    assert {path: path.read_bytes() for path in run_dir.glob("step_*/*.json")} == before


def check(run_dir: Path, given: list[Observation], kind: str, environment: str) -> None:
    for observation in given:
        assert same(read_observation(path_of(run_dir, observation)), observation)
    task = ProceduralMathTask(val_size=54, test_size=54)
    for path in sorted(run_dir.glob("step_*/observation.json")):
        observation = read_observation(path)
        feedback = json.loads((path.parent / "feedback.json").read_text(encoding="utf-8"))
        assert feedback["accuracy"] == observation.accuracy.value and feedback["n"] == observation.accuracy.n
        keys = [field.name for field in dataclasses.fields(ErrorExample)]
        assert [ErrorExample(*map(row.get, keys)) for row in feedback["errors"]] == list(observation.errors)
        shown = observation.skills if isinstance(observation, SkillListObservation) else {}
        assert feedback["skills"] == {
            name: {"accuracy": one.value, "n": one.n, "likelihood": one.likelihood} for name, one in shown.items()
        }
        assert list(feedback["skills"]) == list(shown)
        gold = set(task.skills())
        assert (set(shown) == gold) == (kind == "gold" and environment != "open_ended")
        if kind != "gold":
            assert not gold & {row["skill"] for row in feedback["errors"]}
        if kind == "discovered":
            assert shown["found nowhere"] == Accuracy(None, 0)
    if environment == "skill_tree":
        assert any(tree.subskills for tree in given[-1].trees.values())
        assert given[-1].call > 0
