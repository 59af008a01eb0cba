"""The best static allocation of a budget by a law."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from environments.simulation.law import StaticLaw, logits, rates

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def exam_accuracy(accuracies: "NDArray[Any]", skills: tuple[str, ...], exam: Mapping[str, float]) -> "NDArray[Any]":
    """Accuracies of shape (..., skills), weighted as an exam asks them: of shape (...); empty weights count evenly."""
    import numpy as np

    weights = np.array([float(exam.get(skill, 0)) if exam else 1.0 for skill in skills])
    return np.asarray(accuracies @ (weights / weights.sum()))


def best_allocation(
    law: StaticLaw, exam: Mapping[str, float], budget: int, restarts: int = 12, seed: int = 0
) -> dict[str, int]:
    """Whole numbers of records by skill that sum to the budget and are expected to score highest on an exam.

    Shares are climbed by gradient from random starts, all at once, then rounded, and single records are moved for as
    long as that helps. With several laws (bootstraps) the mean over them counts, which is a guard against the optimism
    of a single one.
    """
    import numpy as np
    import torch

    skills = law.skills
    values = rates({name: torch.as_tensor(value) for name, value in law.parameters.items()}, torch)
    weights = torch.tensor([float(exam.get(skill, 0)) if exam else 1.0 for skill in skills], dtype=torch.float64)
    weights = weights / weights.sum()

    def score(counts: Any) -> Any:  # (rows, skills) -> (rows,)
        return (torch.sigmoid(logits(values, counts, torch)) @ weights).mean(0)

    generator = torch.Generator().manual_seed(seed)
    free = torch.randn(restarts, len(skills), generator=generator, dtype=torch.float64) + 2 * (weights > 0)
    free.requires_grad_(True)
    optimizer = torch.optim.Adam([free], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        loss = -score(budget * free.softmax(-1)).sum()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        shares = free.softmax(-1)
        chosen = shares[int(score(budget * shares).argmax())].numpy() * budget
        counts = np.floor(chosen)
        for place in np.argsort(counts - chosen)[: budget - int(counts.sum())]:
            counts[place] += 1
        counts = _climbed(counts, score)
    return {skill: int(count) for skill, count in zip(skills, counts, strict=True) if count}


def _climbed(counts: "NDArray[np.float64]", score: Any, steps: tuple[int, ...] = (8, 4, 2, 1)) -> "NDArray[np.float64]":
    """Moves records from one skill to another while the score rises."""
    import numpy as np
    import torch

    best = float(score(torch.as_tensor(counts[None]))[0])
    for step in steps:
        while True:
            moves = [
                counts + step * (np.eye(len(counts))[to] - np.eye(len(counts))[take])
                for take in range(len(counts))
                for to in range(len(counts))
                if take != to and counts[take] >= step
            ]
            found = score(torch.as_tensor(np.array(moves))) if moves else torch.tensor([best])
            if float(found.max()) <= best + 1e-9:
                break
            counts, best = moves[int(found.argmax())], float(found.max())
    return counts
