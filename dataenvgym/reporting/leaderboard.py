"""Teachers ranked: boards of comparable runs, floors that every teacher has to beat, and what is refused and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dataenvgym.reading.audit import Audit
from dataenvgym.reading.comparable import (
    board_key,
    budget_of,
    class_name,
    differ_in_environment_alone,
    differences,
    names_of,
    policy_of,
    teacher_key,
)
from dataenvgym.reading.finished_run import FinishedRun, read_finished
from dataenvgym.reporting.leaderboard_rows import FLOORS, Board, Floor, Leaderboard, Ranking, Refusal, Row
from environments.statistics import Gain, accuracy_interval, best_of_steps, gain_by_instance, holm, paired_by_seed
from tasks.errors import DataEnvGymError, RecordError

# The teachers of a board: which floor each is, if any, and its runs.
Groups = list[tuple[Floor | None, list[FinishedRun]]]

# Policies that see nothing of the student: their records are valid and random, which is what feedback has to beat.
_NO_STATE = ("NoStatePolicy", "LLMNoStatePolicy")
_FIRST_STEP = "FirstStepPolicy"


def make_leaderboard(paths: Sequence[Path], by: Ranking = "last") -> Leaderboard:
    """Ranks the teachers of some runs; whatever cannot be ranked is refused with its reason.

    Args:
        paths: Run directories.
        by: Which step's test accuracy ranks a run: the last one's, or that of the best one on validation.
    """
    refused: list[Refusal] = []
    audit = Audit()
    notes: dict[Path, list[str]] = {}
    runs: list[FinishedRun] = []
    failed: dict[tuple[str, str], Path] = {}
    for path in dict.fromkeys(Path(path) for path in paths):
        try:
            run = read_finished(path)
        except DataEnvGymError as error:
            refused.append(Refusal(path, str(error), unread=True))
            continue
        try:
            notes[path] = audit.check(run)
        except RecordError as error:
            refused.append(Refusal(path, f"failed the audit: {error}"))
            failed[board_key(run), teacher_key(run)] = path
            continue
        runs.append(run)
    for run in list(runs):
        # Without the seed that failed, the rest of a row would be a selection.
        if (culprit := failed.get((board_key(run), teacher_key(run)))) is not None:
            refused.append(Refusal(run.path, f"another seed of its teacher failed the audit: {culprit}"))
            runs.remove(run)
    grouped = _grouped(runs, refused)
    boards: list[Board] = []
    firsts: dict[tuple[str, ...], str] = {}
    for key, groups in grouped.items():
        board = _board(key, groups, by, notes, grouped, refused)
        if not board.rows and not board.floors:
            continue
        first = firsts.setdefault((board.task, board.environment, board.student, board.budget), key)
        boards.append(replace(board, apart=", ".join(differences(key, first))))
    boards.sort(key=lambda board: (board.task, board.environment, board.student, board.budget, board.apart))
    return Leaderboard(tuple(boards), tuple(refused), by)


def _grouped(runs: Sequence[FinishedRun], refused: list[Refusal]) -> dict[str, Groups]:
    """Runs by board, and in it by teacher; with each teacher the floor that it is, if any.

    What an environment shows makes no difference to a teacher that looks at nothing: its run is a floor in the other
    environments too, where there is none of that seed.
    """
    ordinary = {board_key(run): None for run in runs if class_name(policy_of(run)) != _FIRST_STEP}
    boards: dict[str, dict[str, tuple[Floor | None, dict[int, FinishedRun]]]] = {}
    for run in runs:
        key, floor = _place(run, ordinary)
        if floor is None and class_name(policy_of(run)) == _FIRST_STEP:
            reason = (
                f"{_FIRST_STEP} is a floor and never a teacher, and no board among the runs is its own: give it "
                "steps: 1 and trainer.max_epochs times the number of the teacher's steps"
            )
            refused.append(Refusal(run.path, reason))
            continue
        _, by_seed = boards.setdefault(key, {}).setdefault(teacher_key(run), (floor, {}))
        if (same := by_seed.get(run.seed)) is not None:
            refused.append(Refusal(run.path, f"same teacher and seed as {same.path}: only one of them counts"))
            continue
        by_seed[run.seed] = run
    for key, run in [(board_key(run), run) for run in runs if class_name(policy_of(run)) in _NO_STATE]:
        for other in ordinary:
            if other in boards and differ_in_environment_alone(key, other):
                boards[other].setdefault(teacher_key(run), ("no_state", {}))[1].setdefault(run.seed, run)
    return {
        key: [(floor, [by_seed[seed] for seed in sorted(by_seed)]) for floor, by_seed in teachers.values()]
        for key, teachers in boards.items()
    }


def _place(run: FinishedRun, boards: Iterable[str]) -> tuple[str, Floor | None]:
    """The board of a run, and the floor that it is there.

    More epochs of step 1's records are a floor of the board on which each of its steps gets its share of the epochs.
    """
    policy = policy_of(run)
    if class_name(policy) in _NO_STATE:
        return board_key(run), "no_state"
    steps = (run.block("environment").get("budget") or {}).get("max_steps")
    epochs = (run.config.get("trainer") or {}).get("max_epochs")
    if class_name(policy) == _FIRST_STEP and (policy.get("init_args") or {}).get("steps") == 1 and steps and epochs:
        key = board_key(run, epochs // steps)
        if epochs % steps == 0 and key in boards:
            return key, "more_epochs"
    return board_key(run), None


def _board(
    key: str,
    groups: Groups,
    by: Ranking,
    notes: Mapping[Path, list[str]],
    others: Mapping[str, Groups],
    refused: list[Refusal],
) -> Board:
    names = names_of([runs[0] for _, runs in groups])
    made = [_row(name, floor, runs, by, notes) for name, (floor, runs) in zip(names, groups, strict=True)]
    floors = [row for row in made if row.floor is not None]
    ranked = []
    for row in made:
        if row.floor is not None:
            continue
        over, missing = _over(row, floors, by)
        if missing:
            nearest = "" if "other seeds" in missing else _nearest(key, over, others)
            refused += [Refusal(run.path, missing + nearest) for run in row.runs]
        else:
            ranked.append(replace(row, over=over))
    adjusted = holm([row.over["no_state"].p_value for row in ranked])
    ranked = [
        replace(row, adjusted=value, below=_not_above(row, floors)) for row, value in zip(ranked, adjusted, strict=True)
    ]
    ranked.sort(key=lambda row: (bool(row.below), -row.after, row.name))
    ranked = [row if row.below else replace(row, rank=place) for place, row in enumerate(ranked, start=1)]
    one = made[0].runs[0]
    return Board(
        task=str(one.summary.get("task")),
        environment=str(one.summary.get("environment")),
        student=str(one.summary.get("student")),
        budget=budget_of(one),
        apart="",
        rows=tuple(ranked),
        floors=tuple(sorted(floors, key=lambda row: -row.after)),
    )


def _row(
    name: str, floor: Floor | None, runs: Sequence[FinishedRun], by: Ranking, notes: Mapping[Path, list[str]]
) -> Row:
    before, after = [run.accuracy(0) for run in runs], [run.accuracy(_step(run, by)) for run in runs]
    if len(runs) > 1:
        spread = paired_by_seed(after)
        interval = None if spread.ci95 is None else (max(0.0, spread.ci95[0] / 100), min(1.0, spread.ci95[1] / 100))
        gain = paired_by_seed([new - old for new, old in zip(after, before, strict=True)])
    else:
        (run,) = runs
        first, last, clusters = run.scores[0]["test"], run.scores[_step(run, by)]["test"], run.clusters.get("test")
        interval = accuracy_interval(last, clusters=clusters)
        gain = gain_by_instance(first, last, clusters)
    best = [
        best_of_steps({step: scores["val"] for step, scores in run.scores.items()}, clusters=run.clusters.get("val"))
        for run in runs
    ]
    usd = [(run.summary.get("cost") or {}).get("usd") for run in runs]
    return Row(
        name=name,
        runs=tuple(runs),
        floor=floor,
        before=_mean(before),
        after=_mean(after),
        interval=interval,
        gain=gain,
        naive=_mean([one.naive for one in best]),
        corrected=_mean([one.corrected for one in best]),
        best=_mean([run.accuracy(run.best) for run in runs]),
        usd=None if None in usd else _mean([float(value) for value in usd if value is not None]),
        tokens=_mean([float((run.summary.get("cost") or {}).get("tokens") or 0) for run in runs]),
        records=_mean([float(run.summary.get("records") or 0) for run in runs]),
        notes=tuple(f"{run.path.name}: {note}" for run in runs for note in notes[run.path]),
    )


def _over(row: Row, floors: Sequence[Row], by: Ranking) -> tuple[dict[Floor, Gain], str]:
    """The row over each kind of floor, and what is missing; of several floors of a kind the strongest counts."""
    over: dict[Floor, Gain] = {}
    for kind, name in FLOORS.items():
        own = [floor for floor in floors if floor.floor == kind]
        if not own:
            return over, f"no floor: no run of the {name} with the same task, environment, student and budget was given"
        shared = [floor for floor in own if set(floor.seeds) & set(row.seeds)]
        if not shared:
            return over, f"no floor: the {name} was run with other seeds ({own[0].seeds}) than this ({row.seeds})"
        over[kind] = min((_minus(row, floor, by) for floor in shared), key=lambda gain: gain.points)
    return over, ""


def _not_above(row: Row, floors: Sequence[Row]) -> tuple[Floor, ...]:
    """The kinds of floors that a teacher is not above: paired with it, or by the accuracies that the board shows."""
    return tuple(
        kind
        for kind, gain in row.over.items()
        if gain.points <= 0 or any(floor.after >= row.after for floor in floors if floor.floor == kind)
    )


def _nearest(key: str, have: Iterable[Floor], boards: Mapping[str, Groups]) -> str:
    """Which floor of another board is the most like one that is missing here, and in what it differs."""
    missing = next(kind for kind in FLOORS if kind not in set(have))
    candidates = [
        (differences(key, other), str(runs[0].path))
        for other, groups in boards.items()
        for floor, runs in groups
        if floor == missing and other != key
    ]
    if not candidates:
        return ""
    found, path = min(candidates, key=lambda candidate: (len(candidate[0]), candidate[1]))
    more = f" and {len(found) - 3} more settings" if len(found) > 3 else ""
    return f"; the nearest, {path}, differs in {', '.join(found[:3])}{more}"


def _minus(row: Row, floor: Row, by: Ranking) -> Gain:
    own, base = ({run.seed: run for run in each.runs} for each in (row, floor))
    seeds = sorted(own.keys() & base.keys())
    pairs = [(own[seed], base[seed]) for seed in seeds]
    if len(pairs) > 1:
        return paired_by_seed([a.accuracy(_step(a, by)) - b.accuracy(_step(b, by)) for a, b in pairs])
    ((one, other),) = pairs
    base_scores, own_scores = other.scores[_step(other, by)]["test"], one.scores[_step(one, by)]["test"]
    return gain_by_instance(base_scores, own_scores, one.clusters.get("test"))


def _step(run: FinishedRun, by: Ranking) -> int:
    return run.last if by == "last" else run.best


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
