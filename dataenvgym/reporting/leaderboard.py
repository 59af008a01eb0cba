"""Teachers ranked: boards of comparable runs, floors that every teacher has to beat, and what is refused and why."""

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
from dataenvgym.reading.over_seeds import TeacherRuns
from dataenvgym.reading.run import Run, read_run
from dataenvgym.reporting.standings import FLOORS, Board, Floor, Leaderboard, Ranking, Refusal, Standing
from environments.statistics import Gain, holm
from tasks.errors import DataEnvGymError, RecordError

# The teachers of a board: which floor each is, if any, and its runs by seed.
Groups = list[tuple[Floor | None, dict[int, Run]]]

# Policies that see nothing of the student: their records are valid and random, which is what feedback has to beat.
_NO_STATE = ("NoStatePolicy", "LLMNoStatePolicy")
_FIRST_STEP = "FirstStepPolicy"


def make_leaderboard(paths: Sequence[Path], by: Ranking = "last", regrets: bool = False) -> Leaderboard:
    """Ranks the teachers of some runs by test accuracy; what cannot be ranked is refused with its reason.

    With ``regrets``, a note says what teachers of a student that has a simulated twin fell short of the best allocation
    (``dataenvgym.suite.twins``).
    """
    refused: list[Refusal] = []
    audit = Audit()
    notes: dict[Path, list[str]] = {}
    runs: list[Run] = []
    failed: dict[tuple[str, str], Path] = {}
    for path in dict.fromkeys(Path(path) for path in paths):
        try:
            run = read_run(path, finished=True)
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
        if not board.teachers and not board.floors:
            continue
        first = firsts.setdefault((board.task, board.environment, board.student, board.budget), key)
        boards.append(replace(board, apart=", ".join(differences(key, first))))
    for one in [line for board in boards for line in board.lines] if regrets else ():
        one.notes += _regret(one)
    boards.sort(key=lambda board: (board.task, board.environment, board.student, board.budget, board.apart))
    return Leaderboard(tuple(boards), tuple(refused), by)


def _regret(one: Standing) -> tuple[str, ...]:
    """A note of the mean regret of a teacher's runs after the last step, if all have one."""
    from dataenvgym.suite.twins import regret_of

    found = [regret_of(run) for run in one.teacher.runs.values()]
    known = [regret for regret in found if regret is not None]
    if len(known) < len(found):
        return ()
    mean = sum(regret.points for regret in known) / len(known)
    return (f"regret after the last step {mean:.1f} points, by the simulated student {known[0].law}",)


def _grouped(runs: Sequence[Run], refused: list[Refusal]) -> dict[str, Groups]:
    """Runs by board, and in it by teacher; with each teacher the floor that it is, if any.

    A teacher that looks at nothing makes the same records in every environment: its run is a floor in the others too,
    where there is none of that seed.
    """
    ordinary = {board_key(run): None for run in runs if class_name(policy_of(run)) != _FIRST_STEP}
    boards: dict[str, dict[str, tuple[Floor | None, dict[int, Run]]]] = {}
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
    return {key: list(teachers.values()) for key, teachers in boards.items()}


def _place(run: Run, boards: Iterable[str]) -> tuple[str, Floor | None]:
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
    names = names_of([runs[min(runs)] for _, runs in groups])
    made = [
        Standing(
            TeacherRuns(name, runs),
            by,
            floor,
            tuple(f"{runs[seed].path.name}: {note}" for seed in sorted(runs) for note in notes[runs[seed].path]),
        )
        for name, (floor, runs) in zip(names, groups, strict=True)
    ]
    floors = [one for one in made if one.floor is not None]
    ranked = []
    for one in made:
        if one.floor is not None:
            continue
        one.over, missing = _over(one, floors)
        if missing:
            nearest = "" if "other seeds" in missing else _nearest(key, one.over, others)
            refused += [Refusal(one.teacher.runs[seed].path, missing + nearest) for seed in one.teacher.seeds]
            continue
        # Above a floor: paired with it, and by the accuracies that the board shows.
        one.below = tuple(
            kind
            for kind, gain in one.over.items()
            if gain.points <= 0 or any(floor.after >= one.after for floor in floors if floor.floor == kind)
        )
        ranked.append(one)
    for one, adjusted in zip(ranked, holm([one.over["no_state"].p_value for one in ranked]), strict=True):
        one.adjusted = adjusted
    ranked.sort(key=lambda one: (bool(one.below), -one.after, one.name))
    for place, one in enumerate(ranked, start=1):
        one.rank = None if one.below else place
    first = groups[0][1]
    run = first[min(first)]
    return Board(
        task=str(run.summary.get("task")),
        environment=str(run.summary.get("environment")),
        student=str(run.summary.get("student")),
        budget=budget_of(run),
        apart="",
        teachers=tuple(ranked),
        floors=tuple(sorted(floors, key=lambda one: -one.after)),
    )


def _over(one: Standing, floors: Sequence[Standing]) -> tuple[dict[Floor, Gain], str]:
    """The gain over each kind of floor (the strongest of several of a kind counts), and the floors that are missing."""
    over: dict[Floor, Gain] = {}
    seeds = one.teacher.seeds
    for kind, name in FLOORS.items():
        own = [floor.teacher for floor in floors if floor.floor == kind]
        if not own:
            return over, f"no floor: no run of the {name} with the same task, environment, student and budget was given"
        shared = [floor for floor in own if set(floor.seeds) & set(seeds)]
        if not shared:
            return over, f"no floor: the {name} was run with other seeds ({own[0].seeds}) than this ({seeds})"
        over[kind] = min((one.teacher.minus(floor, one.by).headline for floor in shared), key=lambda gain: gain.points)
    return over, ""


def _nearest(key: str, have: Iterable[Floor], boards: Mapping[str, Groups]) -> str:
    """The floor of another board that is most similar to one that is missing here, and in what it differs."""
    missing = next(kind for kind in FLOORS if kind not in set(have))
    candidates = [
        (differences(key, other), str(runs[min(runs)].path))
        for other, groups in boards.items()
        for floor, runs in groups
        if floor == missing and other != key
    ]
    if not candidates:
        return ""
    found, path = min(candidates, key=lambda candidate: (len(candidate[0]), candidate[1]))
    more = f" and {len(found) - 3} more settings" if len(found) > 3 else ""
    return f"; the nearest, {path}, differs in {', '.join(found[:3])}{more}"
