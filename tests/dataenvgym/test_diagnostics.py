"""What a run's files say of single answers and single orders."""

import copy
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

import dataenvgym
from dataenvgym.reading import Run, read_run
from dataenvgym.reporting.leaderboard import make_leaderboard
from dataenvgym.reporting.report import write_report
from dataenvgym.reporting.standings import Leaderboard
from dataenvgym.suite.challenges import challenge
from dataenvgym.suite.fits import built
from dataenvgym.suite.twins import Regret, regret_of, twin_of
from environments.simulation.law_files import read_law
from tasks.errors import RecordError
from tests.dataenvgym.test_leaderboard import floors, teacher
from tests.make_run_dir import make_run_dir


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole episode of a simulated student, in the Skill-List environment."""
    run = dataenvgym.run(
        [
            "tasks/math_procedural",
            "students/simulated_math",
            "environments/skill_list",
            "teachers/skill_list_procedural",
        ],
        max_records=120,
        max_steps=3,
        run_dir=tmp_path_factory.mktemp("runs") / "simulated",
    )
    return run.path


def test_the_ledger_adds_up_to_the_accuracies(simulated: Path) -> None:
    run = read_run(simulated)
    rows = run.ledger()
    for split in ("val", "test"):
        for step in (1, 2, 3):
            mine = rows[(rows.step == step) & (rows.split == split)]
            changes = Counter(mine.change)
            n = len(run.scores[step][split])
            change = run.accuracy(step, split) - run.accuracy(step - 1, split)
            assert (changes["won"] - changes["lost"]) / n == pytest.approx(change)
            assert len(mine.instance_id.unique()) == len(mine)
            assert changes["won"] and changes["lost"]
    assert set(run.ledger("test").split) == {"test"}
    records = run.records()
    for row in rows.sample(20, random_state=0).itertuples():
        step = records[records.step == row.step]
        assert (row.own_records, row.records) == ((step.skill == row.skill).sum(), len(step))
        assert (row.score == 1) == (row.change == "won")


def test_the_lineage_follows_orders_to_what_came_of_them(simulated: Path) -> None:
    run = read_run(simulated)
    rows = run.lineage()
    for line, before in zip(run.steps[1:], run.steps, strict=False):
        mine = rows[rows.step == line["step"]]
        assert mine.accepted.sum() == line["records"] and (mine.accepted <= mine.ordered).all()
        for row in mine.itertuples():
            assert row.accepted == line["allocation"].get(row.skill, 0)
            assert row.seen == before["val"]["skills"][row.skill]["value"]
            assert row.after == line["val"]["skills"][row.skill]["value"]
            assert row.change == pytest.approx(row.after - row.seen, abs=1e-6)
    assert not rows.prompts.map(len).any(), "no chat model was asked"


def test_orders_like_errors_and_of_subskills_get_their_own_records(tmp_path: Path) -> None:
    folder = make_run_dir(tmp_path / "run", steps=2)
    step = folder / "step_01"
    specs = [
        {"count": 2, "skill": "a", "subskill": "x", "like": None, "description": "in words"},
        {"count": 2, "skill": "a", "subskill": None, "like": None, "description": ""},
        {"count": 5, "skill": "b", "subskill": None, "like": "val-00007", "description": ""},
    ]
    kinds = [
        ("a", "x", "s"),
        ("a", "y", "s"),
        ("a", "x", "s"),
        ("a", "x", "s"),
        ("b", "y", "procedural: like val-00007"),
    ]
    rows = [
        {"instruction": "q", "response": "r", "answer": "a", "skill": skill, "subskill": subskill, "source": source}
        for skill, subskill, source in kinds
    ]
    (step / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (step / "plan.json").write_text(json.dumps({"calls": [{"plan": {"specs": specs}, "accepted": 5}]}))
    keyed = [
        {"key": "k1", "purpose": "engine", "step": 1, "item": 1},
        {"key": "k2", "purpose": "engine", "step": 1, "item": 1, "failure": "gave_up"},
        {"key": "k3", "purpose": "policy", "step": 1, "item": 1},
    ]
    (folder / "calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in keyed))
    found = read_run(folder).lineage()
    mine = found[found.step == 1]
    assert list(mine.accepted) == [2, 2, 1] and list(mine.ordered) == [2, 2, 5]
    assert list(mine.prompts) == [(), ("k1",), ()] and mine.description.iloc[0] == "in words"
    rows = [{**row, "source": "a model"} for row in rows]
    (step / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    calls = [{"plan": {"specs": part}, "accepted": 3} for part in (specs[:1], specs[1:])]
    (step / "plan.json").write_text(json.dumps({"calls": calls}))
    found = read_run(folder).lineage()
    mine = found[found.step == 1]
    assert mine.accepted.iloc[:2].tolist() == [2, 2] and mine.accepted.isna().iloc[2], "who wrote it does not say"
    assert list(mine.prompts) == [()] * 3, "of which call a prompt was is not kept"


def test_steps_whose_answers_are_missing_are_left_out(tmp_path: Path) -> None:
    folder = make_run_dir(tmp_path / "run", steps=3)
    whole = read_run(folder).ledger()
    (folder / "step_01" / "predictions.jsonl").unlink()
    found = read_run(folder).ledger()
    assert set(whole.step) == {1, 2, 3} and set(found.step) == {3}
    text = write_report([folder], tmp_path / "page.html", regrets=True).read_text()
    shown = text[text.index("<h2>Won and lost</h2>") :]
    assert '<tr><td class="n">3</td>' in shown and '<tr><td class="n">1</td>' not in shown.split("</table>")[0]


def test_a_damaged_plan_is_named(tmp_path: Path) -> None:
    folder = make_run_dir(tmp_path / "run", steps=2)
    wrong = {"count": 2, "skill": "a", "like": 7}
    assert read_run(folder).lineage() is not None
    for content in (
        {"calls": [{"plan": {"specs": [wrong, {}]}}]},
        {"calls": [{"plan": {}}]},
        {"calls": [{"plan": {"specs": [{"count": "2"}]}}]},
        {"calls": [3]},
    ):
        (folder / "step_01" / "plan.json").write_text(json.dumps(content))
        with pytest.raises(RecordError, match=r"plan.json is damaged, no plans"):
            read_run(folder).lineage()


def test_a_run_without_steps_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"status": "running", "seed": 0}))
    assert len(read_run(tmp_path).ledger()) == 0 and list(read_run(tmp_path).lineage().columns)[:2] == ["step", "call"]


def test_regret_is_what_the_best_allocation_would_have_been_worth(simulated: Path, tmp_path: Path) -> None:
    """Of a run on a challenge's student; a run of another student or training has no twin."""
    assert regret_of(read_run(simulated)) is None, "a simulated student is nobody's twin"
    one = challenge("relevance-v1")
    config = yaml.safe_load(built(one).config_text())
    config["task"]["init_args"] |= {"seed": 77, "val_size": 5, "test_size": 5}
    assert twin_of(config) == "math"
    for block, setting, value in (
        ("trainer", "max_epochs", 9),
        ("model", "lr", 1.0),
        ("data", "replay", 0),
        ("environment", "start", "previous"),
        ("teacher", "engine", {"class_path": "teachers.engines.WeakProceduralEngine"}),
    ):
        other = copy.deepcopy(config)
        place = other[block] if block == "trainer" else other[block]["init_args"]
        place[setting] = value
        assert twin_of(other) is None, setting
    folder = make_run_dir(tmp_path / "run", steps=2)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for skill in ("alchemy", "money"):
        for step in range(3):
            path = folder / f"step_{step:02d}" / "predictions.jsonl"
            rows = [json.loads(line) | {"skill": skill} for line in path.read_text().splitlines()]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert skill == "money" or regret_of(read_run(folder)) is None, "a skill that the law does not know"
    run = read_run(folder)
    found = regret_of(run)
    records = sum(line["records"] for line in run.steps)
    law = read_law("math").law
    counts = np.array([[records if skill == "money" else 0 for skill in law.skills]])
    alone = law.accuracy(counts)[:, 0, law.skills.index("money")].mean()
    assert found.best == pytest.approx(alone, abs=0.02) and found.achieved == run.accuracy(2)
    page = write_report([folder], tmp_path / "page.html", regrets=True).read_text()
    assert "Regret:" in page and "Regret:" not in write_report([folder], tmp_path / "page.html").read_text()


def test_a_board_says_the_regret_of_its_teachers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [*floors(tmp_path), *teacher(tmp_path)]
    assert not any("regret" in note for note in _notes(make_leaderboard(paths, regrets=True))), "no twins"

    def regret(run: Run) -> Regret:
        return Regret("math", 0.9, run.accuracy(run.last_step))

    monkeypatch.setattr("dataenvgym.suite.twins.regret_of", regret)
    made = make_leaderboard(paths, regrets=True)
    for one in (line for board in made.boards for line in board.lines):
        mean = 100 * (0.9 - np.mean([run.accuracy(run.last_step) for run in one.teacher.runs.values()]))
        assert f"regret after the last step {mean:.1f} points, by the simulated student math" in one.notes
    assert made.boards and not any("regret" in note for note in _notes(make_leaderboard(paths)))


def _notes(board: Leaderboard) -> list[str]:
    return [note for one in board.boards for line in one.lines for note in line.notes]
