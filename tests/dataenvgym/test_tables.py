"""The paper's tables: their cells, the statistics of their rows, what is printed, and the command that makes them."""

import csv
import itertools
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import feedback_ablation
import processes
import pytest
import table_compute_matched
import table_feedback
import table_iterations
import table_main
import table_skill_discovery
import table_skills
import table_teachers
import yaml
from presets import EMBEDDED, PAPER, PRESETS
from processes import Command

from dataenvgym.cli.main import main
from dataenvgym.reading.over_seeds import TeacherRuns
from dataenvgym.studies.presets import ENVIRONMENTS
from dataenvgym.studies.study import Study, run
from environments.statistics import minimum_detectable_effect
from tests.dataenvgym.judged_runs import a_run

ROOT = Path(__file__).parents[2]
STUDIES = (table_main, table_skills, table_iterations, table_compute_matched, table_feedback)


def rows_of(preset, study=table_main, **after):
    """Rows of all cells of a table; test scores after the last step by the end of a cell's name."""
    names = {cell.name for cell in study.cells_of(preset, 0)}
    rows = {}
    for name in sorted(names):
        end = name.split("-", 1)[1]
        scores = after.get(end, (0, 0, 1, 1))
        rows[name] = TeacherRuns(name, {seed: a_run(seed, test=((0, 0, 1, 1), scores)) for seed in (0, 1)})
    return rows


def test_main_table_has_every_teacher_with_and_without_state_and_both_floors():
    cells = {cell.name: cell for cell in table_main.cells_of(EMBEDDED, 3)}
    assert len(cells) == 9 * len(EMBEDDED.domains)
    for domain, name in itertools.product(EMBEDDED.domains, ENVIRONMENTS):
        taught, longer = cells[f"{domain}-{name}"], cells[f"{domain}-{name}-more_epochs"]
        assert taught.seed == 3
        assert longer.setting("teacher.policy")["class_path"].endswith("FirstStepPolicy")
        assert longer.setting("trainer.max_epochs") == taught.setting("trainer.max_epochs") * EMBEDDED.steps
        if name == "open_ended":
            assert cells[f"{domain}-random"].setting("teacher.policy").endswith("NoStatePolicy")
        else:
            policy = cells[f"{domain}-{name}-no_state"].setting("teacher.policy")
            assert policy["init_args"] == {"policy": taught.setting("teacher.policy"), "feedback": "none"}


def test_all_tables_share_the_cells_of_the_main_one():
    whole = {cell.name: cell for cell in table_main.cells_of(EMBEDDED, 0)}
    for study in (table_skills, table_iterations):
        assert all(whole[cell.name] == cell for cell in study.cells_of(EMBEDDED, 0))
    further = {
        table_compute_matched: {f"math-{name}-tenth" for name in ENVIRONMENTS},
        table_feedback: {
            f"{domain}-skill_list-{kind}" for domain in EMBEDDED.domains for kind in ("shuffled", "stale")
        },
    }
    for study, names in further.items():
        own = {cell.name: cell for cell in study.cells_of(EMBEDDED, 0)}
        assert {name for name in own if name not in whole} == names
        assert all(whole[name] == cell for name, cell in own.items() if name in whole)


def test_a_tenth_of_the_data_has_the_compute_of_all_of_it():
    cells = {cell.name: cell for cell in table_compute_matched.cells_of(EMBEDDED, 0)}
    for name in ENVIRONMENTS:
        full, tenth = cells[f"math-{name}"], cells[f"math-{name}-tenth"]
        keys = "environment.budget.max_records", "trainer.max_epochs"
        assert [tenth.setting(key) for key in keys] == [full.setting(keys[0]) // 10, full.setting(keys[1]) * 10]


# One of each kind: what a preset says of a domain, and what makes a cell another one, are the same in all.
KINDS = ("skill_tree", "skill_list-no_state", "random", "open_ended-more_epochs")


def cells_that_differ():
    """Presets and names of these, and of all cells of two further tables that the main one has not."""
    yield from (("paper", f"{domain}-{kind}") for domain, kind in zip(PAPER.domains, itertools.cycle(KINDS)))
    yield from (("embedded", f"{domain}-{kind}") for domain, kind in zip(EMBEDDED.domains, KINDS, strict=True))
    yield "embedded", "math-open_ended-tenth"
    for name, preset in PRESETS.items():
        known = table_main.cells_of(preset, 0)
        for study in (table_teachers, table_skill_discovery):
            yield from ((name, cell.name) for cell in study.cells_of(preset, 0) if cell not in known)


@pytest.mark.parametrize(("preset", "name"), sorted(cells_that_differ()))
def test_cells_compose(preset, name, tmp_path, capsys):
    studies = (*STUDIES, table_teachers, table_skill_discovery)
    cells = [cell for study in studies for cell in study.cells_of(PRESETS[preset], 0) if cell.name == name]
    with pytest.raises(SystemExit) as ended:
        main([*cells[0].words(tmp_path), "--print_config"])
    assert ended.value.code == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["seed_everything"] == 0 and config["teacher"]
    assert config["environment"]["init_args"]["budget"]["max_steps"] == PRESETS[preset].steps
    assert config["trainer"]["max_epochs"] == cells[0].setting("trainer.max_epochs")


def test_options_of_the_command_come_before_what_makes_a_floor():
    preset = replace(EMBEDDED, options=("--trainer.max_epochs", "2", "--environment.budget.max_steps", "3"))
    cells = {cell.name: cell for cell in table_main.cells_of(preset, 0)}
    assert cells["math-skill_tree"].setting("trainer.max_epochs") == 2
    assert cells["math-skill_tree-more_epochs"].setting("trainer.max_epochs") == 6


def test_rows_are_compared_by_instance_and_by_seed():
    better = TeacherRuns("a", {0: a_run(0), 1: a_run(1, test=((0, 0, 1, 1), (0, 1, 1, 1))), 7: a_run(7)})
    worse = TeacherRuns(
        "b", {0: a_run(0, test=((0, 0, 1, 1), (0, 0, 1, 1))), 1: a_run(1, test=((0, 0, 1, 1), (0, 1, 1, 1)))}
    )
    one = better.minus(worse)
    assert one.seeds == [0, 1]
    assert one.points == pytest.approx(25.0)  # scores 0.5, 1, 1, 1 against 0, 0.5, 1, 1
    assert one.by_seed.points == pytest.approx(25.0)
    assert one.by_seed.ci95[0] < 0 < one.by_seed.ci95[1]
    assert one.won == 1
    assert one.detectable == pytest.approx(minimum_detectable_effect(4, discordant=(0.25 + 0.25) / 4))
    assert better.gain().points == pytest.approx(100 * (11 / 12 - 0.5))
    assert worse.accuracies() == [0.5, 0.75]


def test_instances_that_belong_together_count_once():
    before, after = (0, 0, 0, 0, 1, 1, 1, 1), (1, 1, 0, 0, 1, 1, 1, 1)
    alone, together = (
        TeacherRuns("a", {0: a_run(0, test=(before, after), clusters=clusters)}).gain()
        for clusters in ({}, {"test": list("aabbccdd")})
    )
    assert alone.points == together.points == pytest.approx(25.0)
    width = [one.by_instance.ci95[1] - one.by_instance.ci95[0] for one in (alone, together)]
    assert width[1] > width[0]
    assert together.detectable > alone.detectable


def test_the_main_table_shows_losses_as_it_shows_wins():
    rows = rows_of(EMBEDDED, skill_list=(1, 1, 1, 1), skill_tree=(0, 0, 0, 1))
    tables = table_main.summarise(EMBEDDED, rows).tables
    gains, floors = tables["main_gains"], tables["main_floors"]
    lines = {row[1]: row for row in gains.rows if row[0] == "Mathematics"}
    assert lines["Skill-List, with state"][4].value == pytest.approx(50.0)
    assert lines["Skill-Tree, with state"][4].value == pytest.approx(-25.0)
    assert "-25.0" in gains.markdown()
    assert len(floors.rows) == 8 * len(EMBEDDED.domains)
    lost = [row for row in floors.rows if row[:3] == ["Mathematics", "Skill-Tree", "random valid records"]]
    assert lost[0][3].value == pytest.approx(-25.0)
    assert lost[0][-1] == "0 of 2"


def test_tables_are_written_from_what_there_is():
    rows = rows_of(EMBEDDED)
    for gone in ("math-skill_tree", "vqa-random", "code-skill_list-more_epochs"):
        del rows[gone]
    del rows["tool_use-open_ended"]
    for study in STUDIES:
        output = study.summarise(EMBEDDED, rows)
        assert output.tables
        assert output.figures or study is table_compute_matched  # of which nothing is there
        assert all(table.markdown() and table.latex() for table in output.tables.values())
        empty = study.summarise(EMBEDDED, {})
        assert all(not line[1].value for line in empty.tables.get("main", table_main.Table([])).rows)


def test_skills_are_sorted_by_validation_and_measured_on_test():
    val = ((0, 0, 1, 1), (0, 0, 1, 1))
    row = TeacherRuns("a", {0: a_run(val=val, test=((1, 1, 0, 0), (1, 1, 1, 0)))})
    one, two = table_skills.skills_of(row).itertuples()
    assert (one.val, one.before, one.gain, one.records) == (0.0, 1.0, 0.0, 6.0)
    assert (two.val, two.gain, two.records) == (1.0, 50.0, 4.0)
    table = table_skills.summarise(PAPER, {"math-open_ended": row}).tables["skills"]
    assert table.rows[0][2:5] == ["+0.0 (1, 6)", "", "+50.0 (1, 4)"]


def test_the_best_step_says_what_it_took_and_what_luck_added():
    val = ((0, 0, 0, 1) * 25, (0, 1, 1, 1) * 25, (0, 0, 1, 1) * 25)
    test = ((0, 0, 0, 1) * 25, (0, 0, 1, 1) * 25, (0, 1, 1, 1) * 25)
    output = table_iterations.summarise(EMBEDDED, {"math-skill_list": TeacherRuns("a", {0: a_run(val=val, test=test)})})
    (line,) = output.tables["iterations"].rows
    assert line[2] == "1"
    assert (line[3].value, line[4].value) == (10.0, 0.5)
    assert line[5].value == pytest.approx(75.0)
    assert line[8].value == pytest.approx(50.0)
    assert line[9].value == pytest.approx(75.0)


def test_feedback_of_each_kind_is_compared_with_the_true_one():
    def row(*tests):
        return TeacherRuns("a", {seed: a_run(seed, test=((0, 0, 1, 1), test)) for seed, test in enumerate(tests)})

    rows = {
        "t": row((1, 1, 1, 1), (0, 1, 1, 1)),
        "n": row((0, 0, 1, 1), (0, 1, 1, 1)),
        "s": row((1, 1, 1, 1), (1, 1, 1, 1)),
    }
    names = {"true feedback": "t", "no feedback": "n", "stale feedback": "s", "shuffled feedback": "gone"}
    output = feedback_ablation.summarise(rows, names, "Feedback")
    lines = {line[0]: line for line in output.tables["feedback"].rows}
    assert list(lines) == ["true feedback", "no feedback", "stale feedback"]
    assert lines["no feedback"][2].value == pytest.approx(25.0)
    assert lines["no feedback"][-1] == "1 of 2"
    assert lines["stale feedback"][2].value == pytest.approx(-12.5)
    assert set(output.figures) == {"feedback"}


def test_feedback_over_all_domains_counts_pairs_of_domain_and_seed():
    rows = rows_of(EMBEDDED, skill_list=(1, 1, 1, 1))
    for domain in EMBEDDED.domains:
        rows[f"{domain}-skill_list-shuffled"] = rows[f"{domain}-skill_list-no_state"]
    output = table_feedback.summarise(EMBEDDED, rows)
    lines = {line[0]: line for line in output.tables["feedback_all"].rows}
    assert lines["shuffled feedback"][1] == str(2 * len(EMBEDDED.domains))
    assert lines["shuffled feedback"][2].value == pytest.approx(50.0)
    assert lines["floor: random records"][-1] == "8 of 8"
    assert "stale feedback" not in lines


@pytest.mark.parametrize(
    ("script", "domains", "message"),
    [
        ("table_main", "maths", "preset embedded has math, vqa, code, tool_use"),
        ("table_compute_matched", "vqa", "is about math alone"),
    ],
)
def test_a_domain_that_is_not_there_is_one_line(script, domains, message, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [script, "--domains", domains])
    module = sys.modules[script]
    with pytest.raises(SystemExit, match=message):
        run(Study(module.cells_of, module.summarise, domain=getattr(module, "DOMAIN", None)), PRESETS, "")


SMALL = ["--environment.budget.max_records", "30", "--environment.budget.max_steps", "2", "--trainer.max_epochs", "1"]
SMALL += ["--task.init_args.val_size", "54", "--task.init_args.test_size", "54"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_table_survives_being_killed_twice(tmp_path):
    words = [ROOT / "scripts/reproduce/table_iterations.py", "--seeds", "1", "--jobs", "2", "--domains", "math"]
    words += ["--out", tmp_path, "--", *SMALL]
    for finished in (1, 2):
        process = Command(words, script=True)
        while len(done := sorted(tmp_path.glob(".grid/*.json"))) < finished:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kept = {path: path.stat().st_mtime_ns for path in done}
    result = processes.run(words, script=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(tmp_path.glob("*/summary.json"))) == 4
    with open(tmp_path / "tables" / "iterations.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    made = {path.name for path in (tmp_path / "tables").iterdir()}
    assert {f"iterations.{ending}" for ending in ("md", "csv", "tex", "png", "svg")} <= made
    assert "seeds 0 to 0, 4 episodes" in (tmp_path / "tables" / "iterations.md").read_text(encoding="utf-8")
