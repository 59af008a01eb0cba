"""Grids: cells as data, floors, skipping, resuming, retrying and reporting, on processes that really die; tables."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import feedback_value
import processes
import pytest
import yaml
from kill_and_resume import comparable, differences

from dataenvgym.cli.main import main
from dataenvgym.reading.over_seeds import TeacherRuns
from dataenvgym.studies.cells import Cell, more_epochs, no_state, undiscovered, with_feedback
from dataenvgym.studies.grid import run_grid
from dataenvgym.studies.tables import Number, Table, accuracy, gain, published
from environments.statistics import Gain
from tests.dataenvgym.golden import check_golden
from tests.dataenvgym.judged_runs import a_run

ROOT = Path(__file__).parents[2]
FRAGMENTS = (
    "tasks/math_procedural",
    "students/tiny_text",
    "environments/skill_list",
    "teachers/skill_list_procedural",
)
BASE = Cell("list", 3, FRAGMENTS, {"environment.budget.max_records": 300, "environment.budget.max_steps": 3})

# Stands for `dataenvgym episode`: a process of its own that does what the name of its cell says.
EPISODE = """
import json, os, pathlib, signal, sys, time
words = sys.argv[1:]
folder = pathlib.Path(words[words.index("--run_dir") + 1])
seed = int(words[words.index("--seed_everything") + 1])
folder.mkdir(parents=True, exist_ok=True)
tries = folder / "tries"
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
name = folder.name.rsplit("-", 1)[0]
(folder / "threads").write_text(os.environ["OMP_NUM_THREADS"])
(folder / "niceness").write_text(str(os.nice(0)))
(folder / "pid").write_text(str(os.getpid()))
if name == "dies" or (name == "dies_once" and tries.read_text() == "x"):
    os.kill(os.getpid(), signal.SIGKILL)
if name == "complains":
    print("dataenvgym: error: no such thing", file=sys.stderr)
    sys.exit(2)
if name == "waits":
    (folder / "started").touch()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        (folder / "interrupted").touch()
        sys.exit(2)
split = lambda value: {split: {"accuracy": value, "n": 100} for split in ("val", "test")}
summary = {"status": "finished", "seed": seed, "before": split(0.2), "after": split(0.3 + seed / 100)}
(folder / "summary.json").write_text(json.dumps(summary))
print("done")
"""


@pytest.fixture
def program(tmp_path):
    script = tmp_path / "episode.py"
    script.write_text(EPISODE)
    return (sys.executable, str(script))


def tries(out, folder):
    return len((out / folder / "tries").read_text())


def test_what_dies_is_retried_and_reported_and_nothing_is_lost(program, tmp_path, capsys):
    out = tmp_path / "out"
    names = ("good", "dies_once", "dies", "complains")
    cells = [Cell(name, seed, FRAGMENTS) for name in names for seed in (0, 1)]
    results = run_grid(cells, out, jobs=3, threads=2, program=program)
    assert sorted(results.runs) == [("dies_once", 0), ("dies_once", 1), ("good", 0), ("good", 1)]
    assert sorted(results.failures) == ["complains-seed0", "complains-seed1", "dies-seed0", "dies-seed1"]
    assert "killed by signal 9" in results.failures["dies-seed0"] and "tried 2 times" in results.failures["dies-seed0"]
    assert "no such thing" in results.failures["complains-seed1"]
    assert [tries(out, f"{name}-seed0") for name in names] == [1, 2, 2, 2]
    assert (out / "good-seed0" / "threads").read_text() == "2"
    assert "FAILED" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"4 of the cells failed(.|\n)*dies-seed1"):
        results.check()


def test_finished_cells_are_skipped_and_changed_ones_are_not(program, tmp_path, capsys):
    out, fragment = tmp_path / "out", tmp_path / "own.yaml"
    fragment.write_text("trainer: {max_epochs: 1}\n")
    cell = Cell("good", 0, (*FRAGMENTS, str(fragment)))
    first = run_grid([cell, cell], out, program=program)
    again = run_grid([cell], out, program=program)
    assert tries(out, "good-seed0") == 1 and sorted(first.runs) == sorted(again.runs)
    assert "1 of 1 episodes are finished already" in capsys.readouterr().out
    fragment.write_text("trainer: {max_epochs: 2}\n")
    run_grid([cell], out, program=program)  # for `dataenvgym episode` to refuse
    run_grid([replace(cell, overrides={"environment.budget.max_records": 7})], out, program=program)
    assert tries(out, "good-seed0") == 3
    (out / "good-seed0" / "summary.json").write_text('{"status": "running"}')
    run_grid([cell], out, program=program)
    assert tries(out, "good-seed0") == 4


@pytest.fixture
def waiting_grid(program, tmp_path):
    """A grid in a process of its own, of whose three cells the two that run side by side are waiting."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(ROOT / "scripts" / "reproduce")!r}, {str(ROOT)!r}]
        from pathlib import Path
        from dataenvgym.studies.cells import Cell
        from dataenvgym.studies.grid import run_grid
        cells = [Cell("waits", seed, {FRAGMENTS!r}) for seed in range(3)]
        run_grid(cells, Path({str(tmp_path / "out")!r}), jobs=2, program={program!r})
        """)
    )
    # A suite that was started in the background has SIGINT ignored, and so would its children.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    grid = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL, preexec_fn=heard)
    started = [tmp_path / "out" / f"waits-seed{seed}" / "started" for seed in (0, 1)]
    while not all(path.exists() for path in started):
        assert grid.poll() is None
        time.sleep(0.05)
    yield grid, started
    grid.kill()
    grid.wait()


def test_an_interrupt_ends_the_cells_and_starts_no_others(waiting_grid, tmp_path):
    grid, started = waiting_grid
    os.kill(grid.pid, signal.SIGINT)
    assert grid.wait(timeout=120) != 0
    assert all((path.parent / "interrupted").exists() for path in started)
    assert [tries(tmp_path / "out", f"waits-seed{seed}") for seed in (0, 1)] == [1, 1]
    assert not (tmp_path / "out" / "waits-seed2").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not tell a process of its parent's death")
def test_cells_die_with_a_grid_that_is_killed(waiting_grid):
    grid, started = waiting_grid
    running = [Path("/proc") / (path.parent / "pid").read_text() / "stat" for path in started]
    grid.kill()
    while any(_alive(path) for path in running):  # else they would write beside the cells of the next grid
        time.sleep(0.05)
    assert not any((path.parent / "interrupted").exists() for path in started)


def _alive(stat):
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_ray_runs_the_same_cells(program, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    cells = [Cell(name, seed, FRAGMENTS) for name in ("good", "dies_once", "dies") for seed in (0, 1)]
    results = run_grid(cells, tmp_path / "ray", jobs=2, launcher="ray", program=program)
    assert sorted(results.runs) == [("dies_once", 0), ("dies_once", 1), ("good", 0), ("good", 1)]
    assert sorted(results.failures) == ["dies-seed0", "dies-seed1"]
    assert "killed by signal 9" in results.failures["dies-seed0"]
    assert (tmp_path / "ray" / "good-seed0" / "niceness").read_text() == str(os.nice(0))
    here = run_grid(cells[:2], tmp_path / "here", program=program)
    assert {key: run.summary for key, run in here.runs.items()} == {
        key: results.runs[key].summary for key in (("good", 0), ("good", 1))
    }


def test_a_cluster_that_is_not_there_is_one_line(program, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(SystemExit, match=r"No Ray cluster at RAY_ADDRESS=127\.0\.0\.1:\d+ .*refused"):
            run_grid([Cell("good", 0, FRAGMENTS)], tmp_path, launcher="ray", program=program)


def test_without_ray_the_launcher_says_so(program, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit, match="pip install"):
        run_grid([Cell("good", 0, FRAGMENTS)], tmp_path, launcher="ray", program=program)


def test_settings_come_from_the_last_place_that_names_them(tmp_path):
    assert BASE.setting("trainer.max_epochs") == 10
    assert BASE.setting("environment.init_args.budget.max_steps") == 3
    assert BASE.setting("teacher.policy") == "teachers.policies.RewardHistoryPolicy"
    assert BASE.setting("trainer.no_such_thing") is None
    fragment = tmp_path / "own.yaml"
    fragment.write_text("trainer: {max_epochs: 7}\n")
    assert replace(BASE, fragments=(*FRAGMENTS, str(fragment))).setting("trainer.max_epochs") == 7
    assert replace(BASE, options=("--config", str(fragment))).setting("trainer.max_epochs") == 7
    last = replace(BASE, options=("--config", str(fragment), "--trainer.max_epochs=8"))
    assert last.setting("trainer.max_epochs") == 8
    assert replace(last, options=("--trainer.max_epochs", "9")).setting("trainer.max_epochs") == 9


def composed(cell, capsys):
    with pytest.raises(SystemExit):
        main([*cell.words(Path("runs")), "--print_config"])
    return yaml.safe_load(capsys.readouterr().out)


def test_what_is_made_from_a_cell_differs_from_it_in_what_it_is_for_alone(capsys):
    cells = (BASE, no_state(BASE), more_epochs(BASE), with_feedback(BASE, "shuffled"))
    own, *made = (composed(cell, capsys) for cell in cells)
    for other in made:
        for block in ("task", "model", "data", "environment", "seed_everything"):
            assert other[block] == own[block]
    random, longer, shuffled = made
    assert random["trainer"] == shuffled["trainer"] == own["trainer"]
    assert longer["trainer"] == own["trainer"] | {"max_epochs": 30}  # 10 epochs of each of 3 steps' records
    taught, nothing, first, changed = (one["teacher"]["init_args"]["policy"] for one in (own, *made))
    assert taught["class_path"] == "teachers.policies.RewardHistoryPolicy"
    assert nothing["class_path"] == "teachers.policies.NoStatePolicy"
    assert first["class_path"] == "teachers.policies.FirstStepPolicy"
    assert first["init_args"]["policy"] == changed["init_args"]["policy"] == taught
    assert changed["init_args"]["feedback"] == "shuffled"


def test_floors_hold_whatever_the_options_say(capsys):
    words = "--teacher.init_args.policy teachers.policies.ErrorProportionalPolicy --trainer.max_epochs 4"
    cell = replace(BASE, options=tuple(words.split()))
    assert composed(more_epochs(cell), capsys)["trainer"]["max_epochs"] == 12
    random = composed(no_state(cell), capsys)["teacher"]["init_args"]["policy"]
    assert random["class_path"] == "teachers.policies.NoStatePolicy"
    unlimited = replace(BASE, fragments=FRAGMENTS[:2] + FRAGMENTS[3:], overrides={})
    with pytest.raises(SystemExit, match="max_steps"):
        more_epochs(unlimited)


@pytest.mark.slow
def test_a_real_cell_and_its_floors(episode_words, tmp_path):
    """Step 1 of the floor of more epochs has the very records of the teacher's own run, and nothing follows."""
    words = episode_words(tmp_path, environment="skill_list", teacher="skill_list_procedural")
    fragments = tuple(value for word, value in itertools.pairwise(words) if word == "--config")
    options = words[words.index("--model.init_args.model_name_or_path") : words.index("--run_dir")]
    base = Cell("own", 0, fragments, options=tuple(options))
    program = (processes.python(), "-m", "dataenvgym")
    results = run_grid([base, more_epochs(base), with_feedback(base, "true")], tmp_path / "out", program=program)
    assert results.failures == {}
    runs = [tmp_path / "out" / f"{name}-seed0" for name in ("own", "own-more_epochs", "own-true")]
    first = [(run / "step_01" / "records.jsonl").read_bytes() for run in runs]
    assert first[0] == first[1] == first[2]
    assert (runs[0] / "step_02" / "records.jsonl").read_bytes() == (runs[2] / "step_02" / "records.jsonl").read_bytes()
    own, longer, true = (results.runs[name, 0].summary for name in ("own", "own-more_epochs", "own-true"))
    assert own["after"] == true["after"] and own["records"] == 60
    assert longer["records"] == 30 and longer["steps"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["warm", "ray"])
def test_other_launchers_leave_the_same_files(episode_words, tmp_path, monkeypatch, launcher):
    if launcher == "ray":
        pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    words = episode_words(tmp_path, environment="skill_tree", teacher="skill_tree_procedural")
    fragments = tuple(value for word, value in itertools.pairwise(words) if word == "--config")
    options = tuple(words[words.index("--model.init_args.model_name_or_path") : words.index("--run_dir")])
    cells = [Cell("own", seed, fragments, options=options) for seed in (0, 1)]
    failing = Cell("fails", 0, fragments, options=(*options, "--trainer.max_epochs", "many"))
    for one in ("local", launcher):
        failures = run_grid([*cells, failing], tmp_path / one, jobs=2, launcher=one).failures
        assert list(failures) == ["fails-seed0"] and "exit status 2: dataenvgym: error" in failures["fails-seed0"]
    for cell in cells:
        here, there = (comparable(tmp_path / one / cell.folder) for one in ("local", launcher))
        assert differences(here, there) == [] and "step_02/predictions.jsonl" in here


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the grid is killed by a signal")
def test_a_warm_cell_ends_with_a_grid_that_is_killed(tmp_path):
    """Beside the cell of the next grid it would write into the same run directory."""
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from dataenvgym.studies.cells import Cell
        from dataenvgym.studies.grid import run_grid

        if __name__ == "__main__":
            fragments = {FRAGMENTS}
            run_grid([Cell("long", 0, fragments)], Path({str(tmp_path)!r}), launcher="warm")
        """
    )
    (tmp_path / "grid.py").write_text(script)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    grid = subprocess.Popen([sys.executable, str(tmp_path / "grid.py")], env=environ)
    begun = tmp_path / "long-seed0" / "config.yaml"
    while not begun.is_file() and grid.poll() is None:
        time.sleep(0.2)
    log = tmp_path / ".grid" / "long-seed0.log"
    cells = [pid for pid in writers_of(log) if pid != grid.pid]
    assert cells
    grid.kill()
    grid.wait()
    deadline = time.monotonic() + 60
    while any(written_by(pid, log) for pid in cells) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(written_by(pid, log) for pid in cells)


def writers_of(log):
    """The processes that have a file open."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if written_by(folder.name, log)]


def written_by(pid, log):
    """Whether a process lives and has a log open."""
    try:
        return any(os.readlink(link) == str(log) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_a_grid_refuses_a_path_of_skills_for_each_task():
    cell = Cell("discovering", 0, (*FRAGMENTS, "skills/discovered"))
    with pytest.raises(SystemExit, match=r"without \{task\}"):
        undiscovered(cell)
    assert undiscovered(Cell("gold", 0, (*FRAGMENTS, "skills/gold"))) is None
    named = Cell("clusters", 0, FRAGMENTS, options=("--config", "skills/clustered"))
    assert named.setting("environment.skills")["init_args"] == {"num_categories": 10}
    assert replace(named, options=("--config=configs/skills/clustered",)).setting("environment.skills") is not None


def test_feedback_value_table_is_as_it_was():
    def scores(right):
        return [1.0] * right + [0.0] * (100 - right)

    levels = {"no_state": [56, 57], "open_ended": [58, 57], "skill_list": [60, 61], "skill_tree": [50, 60]}
    rows = {}
    for name, values in levels.items():
        runs = {seed: a_run(seed, test=(scores(20), scores(right))) for seed, right in enumerate(values)}
        rows[name] = TeacherRuns(name, runs)
    text = feedback_value.table(rows)
    assert text.splitlines()[2] == "| no_state | 20.0 % | 56.5 % | +36.5 |  |  |  |"
    assert text.splitlines()[4] == "| skill_list | 20.0 % | 60.5 % | +40.5 | +4.00 (+4.00 to +4.00) | 0.5 | 2 of 2 |"


def test_a_table_is_written_as_markdown_csv_and_latex(tmp_path):
    table = Table(["teacher", "ours & mine", "paper"], "Accuracy in %", ["A note_1."])
    table.add("no state", accuracy([0.5, 0.6]), published(23.44, "B"))
    table.add("skill | tree", gain(Gain(2.0, (1.0, 3.0), 0.01)), published(15.78, "S"))
    table.add("less", gain(Gain(-2.0, (-5.0, 1.0), 0.2)), replace(published(3.72, "B"), label="gain"))
    table.add("blank", Number(None))
    for path in table.write(tmp_path / "table"):
        check_golden(path.name, path.read_text(encoding="utf-8"))
