"""What a grid will cost: sums over rows and seeds, GPU-hours, minutes, and what cannot be estimated."""

import json
import sys
from dataclasses import replace

import pytest

from dataenvgym.cli.main import main
from dataenvgym.studies.cells import more_epochs
from dataenvgym.studies.forecast import forecast
from dataenvgym.studies.grid import run_grid
from dataenvgym.studies.presets import Domain, Preset

SMALL = {"task.init_args.val_size": 54, "task.init_args.test_size": 54}
PROCEDURAL = Domain("math", "Mathematics", "math_procedural", "tiny_text", SMALL)
ON_GPU = replace(PROCEDURAL, gpu_minutes=24.0)


def preset(tmp_path, teachers, *domains, options=()):
    return Preset("own", {domain.name: domain for domain in domains}, teachers, 60, 3, options=options, out=tmp_path)


def numbers(text, row):
    line = next(line for line in text.splitlines() if line.startswith(f"| {row} "))
    return [part.strip().replace(",", "") for part in line.strip("|").split("|")][1:]


def said(cell, out, capsys):
    assert main([*cell.words(out), "--dry_run"]) == 0
    total = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("total"))
    return [part.replace(",", "") for part in total.split()[1:]]


def test_procedural_teachers_ask_nobody(tmp_path):
    chosen = preset(tmp_path, "procedural", PROCEDURAL)
    cells = [chosen.cell("math", environment, seed) for environment in ("open_ended", "skill_tree") for seed in (0, 1)]
    text = forecast([*cells, cells[0]], chosen, jobs=2)
    assert numbers(text, "math-open_ended") == ["2", "0", "0", "0", "0.00"]
    assert numbers(text, "total") == ["4", "0", "0", "0", "0.00"]
    assert "4 episodes to run." in text and "Minutes not known of all rows" in text
    assert not list(tmp_path.iterdir())


def test_minutes_are_those_of_finished_episodes_and_these_are_not_counted_again(tmp_path):
    summary = '{"status": "finished", "seconds": {"fit": 90, "other": 30}}'
    script = tmp_path / "episode.py"
    script.write_text(
        "import pathlib, sys\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--run_dir') + 1])\n"
        "folder.mkdir(parents=True)\n"
        "accuracy = {'test': {'accuracy': 0.5}}\n"
        f"summary = {summary} | {{'before': accuracy, 'after': accuracy}}\n"
        "import json; (folder / 'summary.json').write_text(json.dumps(summary))\n"
    )
    chosen = preset(tmp_path / "runs", "procedural", PROCEDURAL, Domain("code", "Code", "code_procedural", "tiny_text"))
    cells = [chosen.cell("math", "open_ended", seed) for seed in range(5)]
    run_grid(cells[:2], chosen.folder, program=(sys.executable, str(script)))
    (chosen.folder / "math-open_ended-seed2").mkdir()
    (chosen.folder / "math-open_ended-seed2" / "summary.json").write_text('{"status": "running"}')
    text = forecast([*cells, chosen.cell("code", "open_ended", 0)], chosen, jobs=2)
    assert numbers(text, "math-open_ended") == ["3", "0", "0", "0", "0.00", "2.0"]
    assert "4 episodes to run, 2 are finished already." in text
    assert "about 3 min, 2 side by side" in text
    assert "Minutes not known of 1 of 2 rows" in text
    assert "about 6 min, one after the other" in forecast(cells, chosen, jobs=1)
    assert forecast(cells[:2], chosen, jobs=1).endswith("0 episodes to run, 2 are finished already.")


def test_language_models_are_asked_as_often_as_the_episode_says_times_seeds(tmp_path, capsys):
    chosen = preset(tmp_path, "llm", ON_GPU)
    cells = [chosen.cell("math", "open_ended", seed) for seed in (4, 2, 3)]
    floors = [more_epochs(cell) for cell in cells[:1]]
    text = forecast([*cells, *floors], chosen, jobs=2)
    expected = said(cells[1], tmp_path, capsys), said(floors[0], tmp_path, capsys)
    assert int(expected[0][0]) > int(expected[1][0]) > 0
    for row, (calls, given, taken, usd), episodes in zip((cells[0], floors[0]), expected, (3, 1), strict=True):
        found = numbers(text, row.name)
        assert found[:4] == [str(episodes), *(str(int(number) * episodes) for number in (calls, given, taken))]
        assert float(found[4]) == pytest.approx(float(usd) * episodes, abs=0.005 * (episodes + 1))
        assert found[5:] == [f"{episodes * 3 * 24 / 60:.1f}", "72.0"]
    assert numbers(text, "total")[1] == str(3 * int(expected[0][0]) + int(expected[1][0]))
    assert numbers(text, "total")[5] == "4.8"
    assert "about 2 h 24 min, 2 side by side with a GPU each" in text
    assert "max_usd" not in text
    capped = replace(chosen, options=("--teacher.init_args.max_usd", "0.0001"))
    short = forecast([capped.cell("math", "open_ended", 0)], capped, jobs=1)
    assert "math-open_ended: teacher.init_args.max_usd is 0.00 and ends an episode of $" in short


def test_shared_skills_are_discovered_once(tmp_path):
    chosen = preset(tmp_path, "llm", replace(PROCEDURAL, discovered=True))
    cells = [chosen.cell("math", environment, seed) for environment in ("skill_list", "skill_tree") for seed in (0, 1)]
    text = forecast(cells, chosen, jobs=1)
    once, *rows = (numbers(text, row) for row in ("skills of math, once", "math-skill_list", "math-skill_tree"))
    assert once[0] == "" and int(once[1]) > 0
    assert int(numbers(text, "total")[1]) == sum(int(row[1]) for row in (once, *rows))
    alone = preset(tmp_path, "llm", PROCEDURAL)
    known = forecast([alone.cell("math", "skill_list", seed) for seed in (0, 1)], alone, jobs=1)
    assert "once" not in known and int(numbers(known, "total")[1]) > 0
    assert not list(tmp_path.iterdir())


def test_a_benchmark_that_cannot_be_reached_is_missing_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("DATAENVGYM_DATA_DIR", raising=False)
    away = Domain("away", "MATH", "math", "tiny_text", gpu_minutes=24.0)
    chosen = preset(tmp_path, "llm", ON_GPU, away)
    reached = [chosen.cell("math", "open_ended", seed) for seed in (0, 1)]
    unreached = [chosen.cell("away", environment, 0) for environment in ("open_ended", "skill_list")]
    with pytest.raises(SystemExit) as ended:
        forecast([*reached, *unreached], chosen, jobs=1)
    assert ended.value.code == 2
    text = capsys.readouterr().out
    assert numbers(text, "away-open_ended") == ["1", "?", "?", "?", "?", "1.2", "72.0"]
    assert numbers(text, "total without 2 rows")[1:5] == numbers(text, "math-open_ended")[1:5]
    assert "Missing from the total: calls, tokens and dollars of 2 of 3 rows." in text
    reasons = [line for line in text.splitlines() if line.startswith("2 rows of away: ")]
    assert len(reasons) == 1 and "DATAENVGYM_DATA_DIR" in reasons[0]


def test_a_wrong_option_is_said_once_for_all_rows(tmp_path, capsys):
    code = Domain("code", "Code", "code_procedural", "tiny_text")
    chosen = preset(tmp_path, "procedural", PROCEDURAL, code, options=("--no_such_option", "1"))
    with pytest.raises(SystemExit) as ended:
        forecast([chosen.cell(domain, "open_ended", 0) for domain in ("math", "code")], chosen, jobs=1)
    assert ended.value.code == 2
    assert "math-open_ended, code-open_ended: unrecognized arguments: --no_such_option" in capsys.readouterr().out


def test_rows_keep_their_numbers_on_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    chosen = preset(tmp_path, "llm", ON_GPU)
    text = forecast([chosen.cell("math", "open_ended", 0)], chosen, jobs=1)
    assert "|" not in text and "math-open_ended" in text and "72.0" in text
    assert json.dumps(text)
