"""The leaderboard: ranks with intervals over seeds, floors or no rank, and a leak audit that finds what is there."""

import json
import re
from pathlib import Path

import pytest

from dataenvgym.cli.main import main
from dataenvgym.reading import read_run
from dataenvgym.reading.audit import Audit, build_task
from dataenvgym.reporting.leaderboard import make_leaderboard
from dataenvgym.reporting.leaderboard_page import to_html, to_markdown
from tasks.errors import ConfigurationError
from tasks.types import TrainingRecord
from tests.dataenvgym.golden import check_golden
from tests.dataenvgym.judged_runs import TASK, judged_run
from tests.dataenvgym.test_report import Page

REWARD = "teachers.policies.RewardHistoryPolicy"
RANDOM = "teachers.policies.NoStatePolicy"
WORSE = "teachers.policies.ErrorProportionalPolicy"


def first_step(policy=REWARD, steps=1):
    return {
        "class_path": "teachers.policies.FirstStepPolicy",
        "init_args": {"policy": {"class_path": policy}, "steps": steps},
    }


def floors(folder, seeds=(0, 1, 2), **settings):
    return [
        judged_run(folder / f"{name}-{seed}", policy, seed, gain, epochs, **settings)
        for seed in seeds
        for name, policy, gain, epochs in (("random", RANDOM, 0.1, 4), ("longer", first_step(), 0.05, 12))
    ]


def teacher(folder, name="good", policy=REWARD, gain=0.4, seeds=(0, 1, 2), **settings):
    return [judged_run(folder / f"{name}-{seed}", policy, seed, gain, **settings) for seed in seeds]


def reasons(board):
    return {refusal.path.name: refusal.reason for refusal in board.refused}


def test_teachers_are_ranked_with_intervals_over_seeds(tmp_path):
    # On how many devices a student trains parts no boards.
    worse = teacher(tmp_path, "worse", WORSE, gain=0.2, settings={"trainer": {"max_epochs": 4, "devices": 2}})
    made = make_leaderboard([*floors(tmp_path), *worse, *teacher(tmp_path)])
    (board,) = made.boards
    assert made.refused == ()
    assert (board.task, board.environment, board.budget) == ("ToyTask", "SkillListEnvironment", "30 records, 3 steps")
    assert [row.name.split(" ")[0] for row in board.teachers] == ["RewardHistoryPolicy", "ErrorProportionalPolicy"]
    assert [row.floor for row in board.floors] == ["no_state", "more_epochs"]
    best = board.teachers[0]
    assert best.teacher.seeds == [0, 1, 2] and best.usd == 0.5 and best.records == 30 and best.tokens == 1200
    accuracies = [
        json.loads((run.path / "summary.json").read_text())["after"]["test"]["accuracy"]
        for run in best.teacher.runs.values()
    ]
    assert best.after == pytest.approx(sum(accuracies) / 3)
    assert best.gain.points == pytest.approx(40, abs=5)
    assert best.gain.ci95 is not None and best.gain.ci95[0] > 20
    assert best.over["no_state"].points == pytest.approx(30, abs=5)
    assert best.over["more_epochs"].points == pytest.approx(35, abs=5)
    raw = [row.over["no_state"].p_value for row in board.teachers]
    assert best.adjusted == pytest.approx(min(1.0, 2 * min(raw)))
    assert best.choice[1] <= best.choice[0] and best.best == best.after


def test_one_seed_has_intervals_over_instances(tmp_path):
    made = make_leaderboard([*floors(tmp_path, seeds=(0,)), *teacher(tmp_path, seeds=(0,))])
    row = made.boards[0].teachers[0]
    assert row.interval is not None and row.interval[0] < row.after < row.interval[1]
    assert row.gain.ci95 is not None and row.over["no_state"].ci95 is not None


@pytest.mark.parametrize(
    ("kept", "given", "reason"),
    [
        ("random", {}, "more epochs of step 1's records"),
        ("longer", {}, "no-state teacher"),
        ("", {"settings": {"trainer": {"max_epochs": 5, "devices": 1}}}, "trainer.max_epochs"),
        ("", {"settings": {"model": {"class_path": "lightning_modules.CausalLMStudent"}}}, "model_name_or_path"),
        ("", {"settings": {"environment": {"init_args": {"budget": {"max_steps": 2}}}}}, "max_records"),
        ("", {"seeds": (3, 4)}, "other seeds"),
    ],
)
def test_without_floors_of_their_own_teachers_are_not_ranked(tmp_path, kept, given, reason):
    runs = [run for run in floors(tmp_path) if run.name.startswith(kept)]
    taught = teacher(tmp_path, **given)
    made = make_leaderboard([*runs, *taught])
    assert all(board.teachers == () for board in made.boards)
    refused = reasons(made)
    assert refused.keys() == {run.name for run in taught}
    assert all(reason in refused[run.name] for run in taught)


@pytest.mark.parametrize(
    ("own", "budget", "ranked"),
    [
        ("OpenEndedEnvironment", {"max_records": 30, "max_steps": 3}, 1),
        ("OpenEndedEnvironment", {"max_records": 60}, 0),
        ("SkillListEnvironment", {"max_records": 30, "max_steps": 3}, 0),
    ],
)
def test_a_teacher_that_looks_at_nothing_is_a_floor_in_every_environment_of_its_budget(tmp_path, own, budget, ranked):
    block = {"class_path": "environments.OpenEndedEnvironment", "init_args": {"budget": budget}}
    random = [judged_run(tmp_path / "random-0", RANDOM, 0, 0.1, settings={"environment": block})]
    change(tmp_path / "random-0" / "summary.json", "environment", own)
    longer = [judged_run(tmp_path / "longer-0", first_step(), 0, 0.05, 12)]
    made = make_leaderboard([*random, *longer, *teacher(tmp_path, seeds=(0,))])
    rows = [(board.environment, board.apart, row) for board in made.boards for row in board.teachers]
    assert len(rows) == ranked
    for environment, apart, row in rows:
        assert (environment, apart) == ("SkillListEnvironment", "")
        assert row.over["no_state"].points == pytest.approx(30, abs=5)
    assert ranked or "no-state teacher" in reasons(made)["good-0"]


def test_boards_say_what_parts_them_and_refusals_what_the_nearest_floor_differs_in(tmp_path):
    trainer = {"trainer": {"max_epochs": 4, "gradient_clip_val": 0.3}}
    longer = {"trainer": {"max_epochs": 12, "gradient_clip_val": 0.3}}
    other = [
        judged_run(tmp_path / "clipped-longer", first_step(), 0, 0.05, settings=longer),
        judged_run(tmp_path / "clipped", gain=0.3, settings=trainer),
    ]
    made = make_leaderboard([*floors(tmp_path), *teacher(tmp_path), *other])
    assert [board.apart for board in made.boards] == ["", "trainer.gradient_clip_val 0.3 (there: None)"]
    assert "random-0, differs in trainer.gradient_clip_val 0.3 (there: None)" in reasons(made)["clipped"]


def test_more_epochs_that_do_not_match_the_compute_are_neither_floor_nor_teacher(tmp_path):
    """Records of step 1 stand for a teacher's training if the student trains on them as long, and else for nothing."""
    own, taught = floors(tmp_path), teacher(tmp_path)
    unscaled = [judged_run(tmp_path / f"same-{seed}", first_step(), seed, 0.9, epochs=4) for seed in range(3)]
    two_steps = [judged_run(tmp_path / f"two-{seed}", first_step(steps=2), seed, 0.05, epochs=12) for seed in range(3)]
    made = make_leaderboard([*own, *unscaled, *taught])
    assert [row.name.split(" ")[0] for row in made.boards[0].teachers] == ["RewardHistoryPolicy"]
    assert "is a floor and never a teacher" in reasons(made)["same-0"]
    random = [run for run in own if run.name.startswith("random")]
    made = make_leaderboard([*random, *unscaled, *two_steps, *taught])
    assert all(board.teachers == () for board in made.boards)
    assert "more epochs" in reasons(made)["good-0"]


def leaked(split="test", text=None):
    instance = TASK.instances(split)[7]
    return [TrainingRecord(text or instance.instruction, instance.answer, instance.answer, "skill0")]


@pytest.mark.parametrize("split", ["val", "test"])
def test_an_accepted_evaluation_instance_is_found_however_it_is_written(tmp_path, split):
    shouted = TASK.instances(split)[7].instruction.upper().replace(" ", "   ")
    runs = [*floors(tmp_path), *teacher(tmp_path, seeds=(0, 1))]
    runs.append(judged_run(tmp_path / "good-2", REWARD, 2, 0.4, extra=leaked(split, shouted)))
    made = make_leaderboard(runs)
    refused = reasons(made)
    assert f"{split} instance {split}-00007" in refused["good-2"] and "step 3" in refused["good-2"]
    assert "1 of its 31 accepted records" in refused["good-2"]
    # The seeds that are left would be a selection.
    assert "good-2" in refused["good-0"] and made.boards[0].teachers == ()


def test_a_leaking_floor_is_no_floor(tmp_path):
    runs = [run for run in floors(tmp_path, seeds=(0,)) if run.name.startswith("longer")]
    runs.append(judged_run(tmp_path / "leaky-0", RANDOM, 0, 0.1, extra=leaked()))
    made = make_leaderboard([*runs, *teacher(tmp_path, seeds=(0,))])
    assert "failed the audit" in reasons(made)["leaky-0"] and "no floor" in reasons(made)["good-0"]


def change(path: Path, key: str, value) -> None:
    document = json.loads(path.read_text())
    *parents, last = key.split(".")
    inner = document
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    path.write_text(json.dumps(document))


def test_runs_whose_files_do_not_agree_are_refused(tmp_path):
    runs = teacher(tmp_path, seeds=range(7))
    change(runs[0] / "provenance.json", "data.test", "f" * 64)
    change(runs[1] / "summary.json", "after.test.accuracy", 0.99)
    change(runs[2] / "summary.json", "status", "running")
    records = runs[3] / "step_01" / "records.jsonl"
    records.write_text("".join(records.read_text().splitlines(keepends=True)[1:]))
    predictions = runs[4] / "step_03" / "predictions.jsonl"
    predictions.write_text("".join(predictions.read_text().splitlines(keepends=True)[:-1]))
    (runs[5] / "config.yaml").unlink()
    (runs[6] / "step_02" / "predictions.jsonl").unlink()
    refused = reasons(make_leaderboard([*runs, tmp_path / "nowhere"]))
    for name, words in (
        ("good-0", "test instances are not those"),
        ("good-1", "summary says after 0.99"),
        ("good-2", "not finished"),
        ("good-3", "9 records and step 1 accepted 10"),
        ("good-4", "not of its task's instances"),
        ("good-5", "config.yaml"),
        ("good-6", "predictions of step 2"),
        ("nowhere", "nowhere"),
    ):
        assert words in refused[name] and "\n" not in refused[name]


@pytest.mark.parametrize(
    "task",
    [
        {"class_path": "tests.environments.toy.NoSuchTask"},
        {"class_path": "tests.environments.toy.ToyTask", "init_args": {"skills": "x"}},
        None,
    ],
)
def test_a_task_that_cannot_be_built_cannot_be_audited(tmp_path, task):
    with pytest.raises(ConfigurationError):
        build_task({"task": task})
    made = make_leaderboard(teacher(tmp_path, seeds=(0,), settings={"task": task}))
    assert "cannot build its task" in reasons(made)["good-0"]


def test_the_same_run_counts_once(tmp_path):
    good = teacher(tmp_path)
    copy = judged_run(tmp_path / "copy", REWARD, 1, 0.5)
    made = make_leaderboard([*floors(tmp_path), *good, *good, copy])
    assert made.boards[0].teachers[0].teacher.seeds == [0, 1, 2]
    assert "only one of them counts" in reasons(made)["copy"] and len(made.refused) == 1


def test_teachers_of_one_name_are_told_apart_by_their_settings(tmp_path):
    sharp = {"class_path": REWARD, "init_args": {"floor": 0.1}}
    even = {"class_path": REWARD, "init_args": {"floor": 0.9}}
    runs = [*teacher(tmp_path, "sharp", sharp), *teacher(tmp_path, "even", even, gain=0.3)]
    ablated = {
        "class_path": "teachers.policies.FeedbackAblationPolicy",
        "init_args": {"policy": {"class_path": REWARD}, "feedback": "none"},
    }
    runs += teacher(tmp_path, "ablated", ablated, gain=0.2, chat="some-model")
    names = [row.name for row in make_leaderboard([*floors(tmp_path), *runs]).boards[0].teachers]
    assert names == [
        "RewardHistoryPolicy + ProceduralEngine, floor 0.1",
        "RewardHistoryPolicy + ProceduralEngine, floor 0.9",
        "FeedbackAblationPolicy(RewardHistoryPolicy) + ProceduralEngine + some-model",
    ]


def test_the_best_step_can_rank(tmp_path):
    runs = [*floors(tmp_path, seeds=(0, 1)), *teacher(tmp_path, "falls", gain=-0.2, seeds=(0, 1))]
    assert make_leaderboard(runs).boards[0].teachers[0].gain.points < -10
    best = make_leaderboard(runs, by="best").boards[0].teachers[0]
    assert best.gain.points == 0 and best.after == best.before == best.best


def test_the_pages_show_ranks_floors_and_what_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("runs")
    lost = teacher(folder, "lost", WORSE, gain=0.07, chat="a|model")
    made = make_leaderboard([*floors(folder), *teacher(folder), *lost, *teacher(folder, "<b>&|", WORSE, seeds=(4,))])
    html = to_html(made)
    check_golden("leaderboard.html", html)
    check_golden("leaderboard.md", to_markdown(made))
    Page(html)
    assert not re.search(r"(?i)<script|@import|url\(|https?://", html)
    assert to_html(make_leaderboard([])).count("No run could be ranked") == 1


def test_command(tmp_path, capsys):
    runs = [*floors(tmp_path / "runs"), *teacher(tmp_path / "runs", gain=0.0)]
    cheat = {"class_path": REWARD, "init_args": {"floor": 0.5}}
    runs.append(judged_run(tmp_path / "runs" / "cheat", cheat, 0, 0.6, extra=leaked()))
    assert main(["leaderboard", *map(str, runs), "--to", str(tmp_path / "made")]) == 0
    said = capsys.readouterr().out
    assert "cheat: failed the audit: 1 of its 31 accepted records" in said
    assert sum("below a floor" in line for line in said.splitlines()) == 1
    assert not any(line.strip().startswith("1 ") for line in said.splitlines())
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"leaderboard.html", "leaderboard.md"}
    assert main(["leaderboard", *map(str, runs[:2]), "--by", "best"]) == 0
    assert (tmp_path / "runs" / "leaderboard.md").is_file()


def test_shared_long_runs_of_words_are_noted(tmp_path):
    words = TASK.instances("test")[7].instruction.split()
    run = judged_run(tmp_path / "near", extra=leaked(text=" ".join([*words, "please"])))
    assert Audit().check(read_run(run)) == []  # the toy task's questions are shorter than that
    (note,) = Audit(words=len(words)).check(read_run(run))
    assert note == f"1 accepted records share {len(words)} words in a row with an evaluation instance"


BELOW = "below a floor"


@pytest.mark.parametrize(
    ("gain", "below", "shown"),
    [
        (0.2, (), ["2", "floor", "floor"]),
        (0.1, ("no_state",), ["floor", BELOW, "floor"]),  # as good as random valid records is not above them
        (0.07, ("no_state",), ["floor", BELOW, "floor"]),
        (0.05, ("no_state", "more_epochs"), ["floor", "floor", BELOW]),
        (-0.1, ("no_state", "more_epochs"), ["floor", "floor", BELOW]),
    ],
)
def test_ranks_go_to_teachers_above_all_floors_alone(gain, below, shown, tmp_path):
    runs = [*teacher(tmp_path, "other", WORSE, gain=gain), *teacher(tmp_path, "won"), *floors(tmp_path)]
    made = make_leaderboard(runs)
    (board,) = made.boards
    won, row = board.teachers
    assert set(row.below) >= set(below) and bool(row.below) == bool(below)
    assert (won.rank, won.below, row.rank) == (1, (), None if below else 2)
    for floor in board.floors:
        assert floor.rank is None
        assert below or row.after > floor.after
    page, html = to_markdown(made), to_html(made)
    assert [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")] == ["rank", "1", *shown]
    said = "ErrorProportionalPolicy + ProceduralEngine: not above the floor: no-state teacher"
    assert (said in page) == (f">{BELOW}<" in html) == bool(below)
    assert html.index(">1<") < html.index(">floor<")
    assert not below or html.index(">floor<") < html.index(f">{BELOW}<")
