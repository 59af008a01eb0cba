"""What can be answered without the images: the most frequent answer to each question in the training pool.

python benchmarks/blind_vqa.py
"""

from collections import Counter, defaultdict

import common  # noqa: F401

from tasks.vqa import ProceduralVQATask


def main() -> None:
    """Prints the accuracy by skill on the test split; an unseen question gets its subskill's most frequent answer."""
    task = ProceduralVQATask()
    answers: defaultdict[object, Counter[str]] = defaultdict(Counter)
    for record in task.training_pool():
        for key in (record.instruction, (record.skill, record.subskill)):
            answers[key][record.answer] += 1
    scores: defaultdict[str, list[float]] = defaultdict(list)
    for instance in task.instances("test"):
        known = answers.get(instance.instruction) or answers[instance.skill, instance.subskill]
        scores[str(instance.skill)].append(task.score(instance, known.most_common(1)[0][0]))
    for skill, values in scores.items():
        print(f"{skill:12} {sum(values) / len(values):6.1%}")
    everything = [value for values in scores.values() for value in values]
    print(f"{'all':12} {sum(everything) / len(everything):6.1%} of {len(everything)}")


if __name__ == "__main__":
    main()
