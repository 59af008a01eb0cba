"""One reader of run directories: what it shows, and that nothing else opens their files."""

import ast
import json
from pathlib import Path

import pytest

from dataenvgym.reading import read_run
from tasks.errors import MissingFileError, RecordError
from tests.make_run_dir import SKILLS, make_run_dir

ROOT = Path(__file__).parents[2]
FILES = {"predictions.jsonl", "episode.jsonl", "summary.json", "feedback.json", "provenance.json", "records.jsonl"}
FILES |= {"calls.jsonl"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run_dir(tmp_path_factory.mktemp("runs") / "one", steps=3)


def test_nothing_else_opens_the_files_of_a_run() -> None:
    folders = [ROOT / name for name in ("dataenvgym", "environments", "scripts/reproduce")]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(paths) > 50
    own = (ROOT / "dataenvgym/reading", ROOT / "environments/run")
    for path in paths:
        if path.parent in own:
            continue
        words = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        named = {name for name in FILES for word in words if isinstance(word, str) and word.split("/")[-1] == name}
        assert not named, f"{path} names {named}"


def test_numbers_know_their_intervals(run: Path) -> None:
    found, summary = read_run(run), json.loads((run / "summary.json").read_text())
    gain = summary["gain"]["test"]
    assert (found.gain.test, found.gain.test.p_value) == (gain["points"], gain["p_value"])
    assert list(found.gain.test.ci95) == gain["ci95"]
    said = "{:+.1f} points (95 % interval {:+.1f} to {:+.1f}, p = ".format(gain["points"], *gain["ci95"])
    assert str(found.gain.test).startswith(said)
    for name in ("before", "after", "best"):
        stage = getattr(found, name)
        assert stage.step == summary[name]["step"]
        assert (stage.val, stage.test) == tuple(summary[name][split]["accuracy"] for split in ("val", "test"))
        assert stage.test.n == summary[name]["test"]["n"]
    assert found.before.gain.test is None and found.best.gain.val == summary["best"]["gain"]["val"]["points"]
    assert "finished" in repr(found) and str(found.gain.test) in repr(found)


def test_rows_are_frames(run: Path) -> None:
    found = read_run(run)
    assert list(found.skills.columns) == ["skill", "before", "after", "n"] and list(found.skills["skill"]) == [*SKILLS]
    for step, last in ((0, False), (3, True)):
        answers = found.predictions() if last else found.predictions(step)
        test = answers[answers["split"] == "test"]
        assert test["score"].mean() == pytest.approx(found.accuracy(step))
        wrong = answers[(answers["split"] == "val") & (answers["score"] == 0)]
        errors = found.errors() if last else found.errors(step)
        assert list(errors["instance_id"]) == list(wrong["instance_id"])
        assert set(found.errors(step, skill="clock")["skill"]) == {"clock"}
    assert len(found.records()) == 3 * len(found.records(step=1)) == 126 and found.calls.empty
    assert [line["step"] for line in found.steps] == [0, 1, 2, 3] and found.seed == 0


def test_a_step_that_trained_nothing_has_the_answers_of_the_one_before(run: Path, tmp_path: Path) -> None:
    copy = make_run_dir(tmp_path / "copy", steps=2)
    lines = [json.loads(line) for line in (copy / "episode.jsonl").read_text().splitlines()]
    lines[2] |= {split: lines[1][split] for split in ("val", "test")} | {"trained": False}
    (copy / "episode.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("predictions.jsonl", "feedback.json"):
        (copy / "step_02" / name).unlink()
    found = read_run(copy, finished=True)
    assert found.notes == [] and found.scores[2] == found.scores[1] != found.scores[0]
    assert found.error_rows(2) == found.error_rows(1) and found.error_rows(1)


@pytest.mark.parametrize("name", ["summary.json", "episode.jsonl", "config.yaml", "provenance.json", "step_01"])
def test_a_finished_run_has_all_that_it_is_judged_by(tmp_path: Path, name: str) -> None:
    run = make_run_dir(tmp_path / "run", steps=2)
    (run / name).rename(tmp_path / "away")
    read_run(run)
    with pytest.raises((MissingFileError, RecordError)) as error:
        read_run(run, finished=True)
    assert "\n" not in str(error.value)
    (tmp_path / "away").rename(run / name)
    assert read_run(run, finished=True).status == "finished"


def test_an_unfinished_run_and_a_step_cut_off_are_not_judged(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not finished"):
        read_run(make_run_dir(tmp_path / "running", status="running"), finished=True)
    run = make_run_dir(tmp_path / "cut", steps=2)
    (run / "episode.jsonl").write_text((run / "episode.jsonl").read_text()[:-40])
    assert len(read_run(run).steps) == 2 and "cut off" in read_run(run).notes[0]
    with pytest.raises(RecordError, match="line 3"):
        read_run(run, finished=True)


@pytest.mark.parametrize("rows", ["predictions", "errors", "records"])
def test_a_step_that_is_not_there_is_named(run: Path, rows: str) -> None:
    with pytest.raises(MissingFileError, match="has no step 9; its finished steps are 0 to 3"):
        getattr(read_run(run), rows)(9)


def test_a_run_without_a_finished_step_has_no_rows_yet(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"status": "running"}')
    with pytest.raises(MissingFileError, match="no finished step yet"):
        read_run(tmp_path).predictions()
