"""Who may take a run directory, and what an interruption leaves in it."""

import pytest

from environments.run.directory import RunDir
from tasks.errors import RunDirectoryError, StorageError


def test_a_new_folder_is_taken_and_a_finished_one_is_recognised(tmp_path):
    directory = RunDir(tmp_path / "a/b/run")
    assert directory.claim("seed: 1\n", resume=False) == "new"
    directory.write_summary({"status": "finished"})
    assert directory.claim("seed: 1\n", resume=False) == "finished"
    with pytest.raises(RunDirectoryError, match="seed: 1 → seed: 2"):
        directory.claim("seed: 2\n", resume=True)


def test_an_interrupted_run_needs_resume(tmp_path):
    directory = RunDir(tmp_path / "run")
    directory.claim("seed: 1\n", resume=False)
    with pytest.raises(RunDirectoryError, match="--resume"):
        directory.claim("seed: 1\n", resume=False)
    assert directory.claim("seed: 1\n", resume=True) == "interrupted"


def test_a_configuration_is_the_same_in_another_order(tmp_path):
    directory = RunDir(tmp_path / "run")
    directory.claim("# lightning 2\ntask: {seed: 0, val_size: 4}\nrun: 1\n", resume=False)
    assert directory.claim("run: 1\ntask:\n  val_size: 4\n  seed: 0\n", resume=True) == "interrupted"
    with pytest.raises(RunDirectoryError, match="another configuration"):
        directory.claim("run: 1\ntask: {seed: 1, val_size: 4}\n", resume=True)
    for other in ("true", "1.0", "'1'"):
        with pytest.raises(RunDirectoryError, match="another configuration"):
            directory.claim(f"run: {other}\ntask: {{seed: 0, val_size: 4}}\n", resume=True)


def test_a_folder_left_empty_by_a_kill_counts_as_new(tmp_path):
    (tmp_path / ".config.yaml.part").write_text("half")
    assert RunDir(tmp_path).claim("seed: 1\n", resume=False) == "new"


def test_a_file_or_foreign_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunDirectoryError, match="not a run"):
        RunDir(tmp_path).claim("", resume=True)
    with pytest.raises(RunDirectoryError, match="not a folder"):
        RunDir(tmp_path / "notes.txt").claim("", resume=True)


def test_a_place_that_cannot_be_written_is_named():
    with pytest.raises(StorageError, match="/proc/no/run"):
        RunDir("/proc/no/run").claim("seed: 1\n", resume=False)


def test_discard_keeps_finished_steps_and_kept_calls(tmp_path):
    directory = RunDir(tmp_path)
    for step in (0, 1, 2, 3):
        directory.write_rows(step, "records.jsonl", [{"step": step}])
    directory.write_calls(2, [{"plan": {}}])
    (directory.step(2) / "student").mkdir()
    directory.discard_after(finished=2)
    assert directory.rows(1, "records.jsonl") == [{"step": 1}]
    assert sorted(path.name for path in directory.step(2).iterdir()) == ["plan.json", "records.jsonl"]
    assert not directory.step(3).exists()


def test_an_unmarked_call_is_discarded(tmp_path):
    directory = RunDir(tmp_path)
    directory.write_rows(1, "records.jsonl", [{"step": 1}])
    directory.discard_after(finished=1)
    assert not directory.step(1).exists()
