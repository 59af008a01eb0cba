"""Two of the paper's tables: strong against weak teachers, and gold against discovered skills."""

import pytest
import table_main
import table_skill_discovery
import table_teachers
from presets import EMBEDDED, PAPER

from dataenvgym.reading.over_seeds import TeacherRuns
from tests.dataenvgym.judged_runs import a_run

STUDIES = (table_teachers, table_skill_discovery)
MATHS = {"class_path": "tasks.math.ProceduralMathTask", "init_args": {"val_size": 216, "test_size": 54}}


def a_row(name, after, rejected=()):
    """A row of two seeds with four test instances, none right before."""
    runs = {
        seed: a_run(seed, test=((0, 0, 0, 0), after), config={"task": MATHS}, rejected=dict(rejected))
        for seed in (0, 1)
    }
    return TeacherRuns(name, runs)


def cells(study, preset):
    return {cell.name: cell for cell in study.cells_of(preset, 0)}


@pytest.mark.parametrize("study", STUDIES)
def test_cells_are_shared_with_the_main_table(study):
    whole, own = cells(table_main, EMBEDDED), cells(study, EMBEDDED)
    assert {"math-skill_list", "math-skill_list-more_epochs", "math-random"} <= own.keys()
    assert all(whole[name] == cell for name, cell in own.items() if name in whole)


@pytest.mark.parametrize("preset", [EMBEDDED, PAPER])
def test_a_weak_cell_differs_in_what_makes_it_weak(preset):
    own = cells(table_teachers, preset)
    assert len(own) == 14
    weak = {name for name in own if "-weak" in name}
    assert len(weak) == 7
    for name in weak:
        strong = own[name.replace("-weak", "")]
        for key in ("environment.budget.max_steps", "trainer.max_epochs", "teacher.policy"):
            assert own[name].setting(key) == strong.setting(key)
        for key, value in table_teachers.WEAK[preset.teachers].items():
            assert own[name].setting(key) == value != strong.setting(key)


def test_skills_are_all_that_differs_between_gold_and_clusters():
    own = cells(table_skill_discovery, EMBEDDED)
    gold = own["math-skill_list-like_errors"]
    for number in (6, 18, 54):
        cell = own[f"math-skill_list-clusters{number}"]
        assert cell.setting("environment.skills")["init_args"] == {"num_categories": number}
        assert {key: value for key, value in cell.overrides.items() if key != "environment.skills"} == gold.overrides
        assert f"{cell.name}-more_epochs" in own


def test_discovered_skills_are_frozen_apart_for_each_number():
    own = cells(table_skill_discovery, PAPER)
    kinds = {
        name: cell.setting("environment.skills")["class_path"].rpartition(".")[2]
        for name, cell in own.items()
        if "skill_list" in name
    }
    assert [name for name, kind in kinds.items() if kind == "GoldSkills"] == [
        "math-skill_list-gold",
        "math-skill_list-gold-more_epochs",
    ]
    discovered = [own[name] for name, kind in kinds.items() if kind == "DiscoveredSkills"]
    paths = {
        (cell.overrides["environment.skills"]["init_args"]["path"], cell.setting("environment.skills.num_categories"))
        for cell in discovered
    }
    assert len(discovered) == 6
    assert len(paths) == len({path for path, _ in paths}) == 3


def test_strong_minus_weak_shows_both_and_their_floors():
    names = cells(table_teachers, EMBEDDED)
    rows = {name: a_row(name, (0, 0, 0, 1) if "-weak" in name else (0, 0, 1, 1)) for name in names}
    rows["math-open_ended"] = a_row("math-open_ended", (0, 1, 1, 1), {"duplicate": 2, "answer_mismatch": 4})
    rows["math-skill_tree-weak"] = a_row("math-skill_tree-weak", (1, 1, 1, 1))
    output = table_teachers.summarise(EMBEDDED, rows)
    lines = {(row[0], row[1]): row for row in output.tables["teachers"].rows}
    assert lines["Open-Ended", "strong"][3].value == 75.0
    assert lines["Open-Ended", "strong"][10] == "6.0 (answer_mismatch 4.0, duplicate 2.0)"
    assert lines["Open-Ended", "weak"][8].value == 25.0
    assert "15.78 %†" in output.tables["teachers"].markdown()
    apart = {row[0]: row[2].value for row in output.tables["teachers_strong_minus_weak"].rows}
    assert apart == {
        "Open-Ended, strong": 50.0,
        "Skill-List, strong": 25.0,
        "Skill-Tree, strong": -50.0,
        "random records, strong": 25.0,
    }
    assert len(output.tables["teachers_floors"].rows) == 12
    assert output.figures


def test_skills_are_compared_with_gold_and_their_agreement_is_measured():
    rows = {name: a_row(name, (0, 0, 1, 1)) for name in cells(table_skill_discovery, EMBEDDED)}
    rows["math-skill_list-clusters6"] = a_row("math-skill_list-clusters6", (0, 0, 0, 1))
    output = table_skill_discovery.summarise(EMBEDDED, rows)
    lines = {row[0]: row for row in output.tables["skill_discovery"].rows}
    assert list(lines) == ["gold", "6 clusters", "18 clusters", "54 clusters", "gold, ordered by name"]
    agreement = {name: row[2].value for name, row in lines.items()}
    assert agreement["gold"] == 1.0
    assert 0.3 < agreement["6 clusters"] < agreement["18 clusters"] < 1.0
    assert lines["gold"][7] == ""
    assert lines["6 clusters"][7].value == -25.0
    assert len(output.tables["skill_discovery_floors"].rows) == 10
    assert output.figures


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("preset", [EMBEDDED, PAPER])
def test_tables_are_written_from_what_there_is(study, preset):
    some = {name: a_row(name, (0, 0, 1, 1)) for name in ("math-skill_list", "math-random")}
    for rows in ({}, some):
        output = study.summarise(preset, rows)
        assert all(table.markdown() and table.latex() and table.csv() for table in output.tables.values())
