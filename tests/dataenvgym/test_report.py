"""The report page: all of a run is on it, unknowns are said, hostile text stays text, same run same page."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dataenvgym.reading import read_run
from dataenvgym.reading.curves import curve
from dataenvgym.reporting.report import calls_by_purpose, write_report
from tasks.errors import ConfigurationError, MissingFileError
from tests.dataenvgym.golden import check_golden
from tests.make_run_dir import make_run_dir

_VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "for")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_all_of_a_run_and_needs_nothing_else(tmp_path: Path) -> None:
    run = make_run_dir(tmp_path / "run", steps=2)
    path = write_report([run])
    assert path == run / "report.html"
    html = path.read_text(encoding="utf-8")
    check_golden("report.html", html)
    assert write_report([run], tmp_path / "again.html").read_text(encoding="utf-8") == html
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") or link in page.ids for link in page.links)
    assert not re.search(r"(?i)<script|@import|url\((?!#)", html)
    assert "prefers-color-scheme: dark" in html
    assert "#0102" not in html  # every stand-in colour became a variable of the page


def test_hostile_names_reach_neither_markup_nor_mathtext(tmp_path: Path) -> None:
    run = make_run_dir(tmp_path / "_$x$ & <i>", steps=1)
    summary = json.loads((run / "summary.json").read_text())
    summary["skills"] |= {"</svg><script>$x_": {"before": 0.1, "after": 0.2, "n": 3}}
    (run / "summary.json").write_text(json.dumps(summary))
    html = write_report([run, make_run_dir(tmp_path / "other", steps=1)]).read_text(encoding="utf-8")
    assert "<script" not in html and "<i>" not in html and "&lt;/svg&gt;&lt;script&gt;$x_" in html
    assert html.count("_$x$ &amp; &lt;i&gt;") > 4  # heading, table and the legend of every chart
    Page(html)


def test_unfinished_run_is_reported_as_such(tmp_path: Path) -> None:
    run = make_run_dir(tmp_path / "run", steps=3, status="running")
    html = write_report([run]).read_text(encoding="utf-8")
    assert "This run is not finished (status: running)." in html and "The last finished step is 2;" in html


@pytest.mark.filterwarnings("error")  # of matplotlib, if names left no room for a chart
def test_several_runs_with_long_names_are_compared(tmp_path: Path) -> None:
    runs = [make_run_dir(tmp_path / f"{i}_{'long' * 30}", steps=2, seed=i, tree=i == 0) for i in range(10)]
    path = write_report(runs)
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert path == tmp_path / "report.html" and "10 runs compared" in html
    assert len(page.ids) == len(set(page.ids))
    assert {f"#r{i}" for i in range(10)} <= set(page.links)
    assert html.count("<h2>The tree</h2>") == 1


def test_runs_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    runs = [make_run_dir(tmp_path / parent / "run", steps=1) for parent in ("a", "b")]
    html = write_report(runs).read_text(encoding="utf-8")
    assert "<h1>a/run</h1>" in html and "<h1>b/run</h1>" in html


@pytest.mark.parametrize(
    "missing", ["summary.json", "episode.jsonl", "provenance.json", "step_01", "step_02/feedback.json"]
)
def test_missing_files_are_said_and_do_not_stop_the_report(tmp_path: Path, missing: str) -> None:
    run = make_run_dir(tmp_path / "run", steps=2)
    shutil.rmtree(run / missing) if missing == "step_01" else (run / missing).unlink()
    html = write_report([run]).read_text(encoding="utf-8")
    assert "not recorded" in html
    assert f"{missing}{'/records.jsonl' if missing == 'step_01' else ''} is not recorded." in html
    Page(html)


def test_unknown_values_are_said(tmp_path: Path) -> None:
    run = make_run_dir(tmp_path / "run", steps=1)
    (run / "summary.json").write_text(json.dumps({"status": "running", "gain": {"val": {"points": None}}}))
    (run / "episode.jsonl").write_text(json.dumps({"step": 0, "val": {"overall": {"value": None, "n": 0}}}) + "\n")
    html = write_report([run]).read_text(encoding="utf-8")
    assert "gain not recorded" in html and "Accuracy by step: not recorded." in html and "nan" not in html.lower()


def test_a_line_that_a_kill_cut_off_is_noted(tmp_path: Path) -> None:
    run = make_run_dir(tmp_path / "run", steps=2)
    lines = (run / "episode.jsonl").read_text().splitlines()
    (run / "episode.jsonl").write_text("\n".join([*lines[:2], lines[2][:40]]))
    assert "The last line of episode.jsonl (line 3) is cut off" in write_report([run]).read_text(encoding="utf-8")


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MissingFileError) as error:
            write_report([folder])
        assert "\n" not in str(error.value) and str(folder) in str(error.value)
    with pytest.raises(ConfigurationError):
        write_report([])


def test_intervals_come_from_the_single_scores_where_recorded(tmp_path: Path) -> None:
    run = make_run_dir(tmp_path / "run", steps=1)
    with_scores = curve(read_run(run), "test")
    (run / "step_00" / "predictions.jsonl").unlink()
    without = curve(read_run(run), "test")
    assert with_scores[0].ci95 == pytest.approx(without[0].ci95)
    assert [point.records for point in with_scores] == [0, 42]


def test_calls_without_a_reply_are_not_counted_as_calls(tmp_path: Path) -> None:
    run = make_run_dir(tmp_path / "run")
    rows = [
        {"purpose": "engine", "reply": "x", "usage": {"input": 10, "output": 5, "cached": 0}, "usd": 0.5},
        {"purpose": "engine", "failure": "over_cap"},
    ]
    (run / "calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert len(read_run(run).calls) == 2
    assert calls_by_purpose(read_run(run)) == {"engine": {"calls": 1, "tokens": 15, "usd": 0.5}}
