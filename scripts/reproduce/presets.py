"""The presets of the tables, as data.

``embedded`` runs offline on CPU cores with procedural tasks and teachers and tiny students; ``paper`` is what the paper
ran: benchmarks from the hub, students of 2 to 8 billion parameters on a GPU, language models as teachers; ``rehearsal``
is the paper's from end to end with stand-ins for all that costs money (rehearsal.py).
"""

from rehearsal import rehearsed

from dataenvgym.studies.presets import Domain, Preset

# Instances of seed 2: settings of tiny students and policies were chosen by looking at those of seeds 0 and 1.
_FRESH = {"task.init_args.seed": 2}

# Images of records are drawn by SDXL-Turbo (extra: diffusers), as in the authors' code: a task cannot draw photographs.
_DRAWN = {
    "teacher.init_args.engine": {
        "class_path": "teachers.engines.LLMEngine",
        "init_args": {"illustrator": "teachers.engines.DiffusersIllustrator"},
    }
}

# As in the paper: validation drawn from the test set, whose rows stay there (accuracy is also given by whether a row is
# in both), and nothing added to a problem.
_MATH_SPLITS = {
    "task.init_args.val_from": "test",
    "task.init_args.overlap": True,
    "task.init_args.instruction_suffix": "",
}

# The paper's precision of its language models; bfloat16 is the fragments' own: -- --trainer.precision bf16-mixed
_FP16 = {"trainer.precision": "16-mixed"}

# The authors' Skill-Tree: two subskills of 30 records at each exploration, no records in the step after it, and at most
# 200 records for each skill, which the last exploration may exceed. There is no other limit of records: this one is
# never reached (the command line cannot lift a limit, for its parser takes no null there).
_ALTERNATING = {
    "environment.budget.max_records": 100_000,
    "teacher.init_args.policy": {
        "class_path": "teachers.policies.AlternatingPolicy",
        "init_args": {
            "proposer": "teachers.policies.LLMSubskillProposer",
            "new_subskills": 2,
            "records_each": 30,
            "max_data_for_skill": 200,
            "hard": False,
        },
    },
}

# The paper's 24 minutes of an A6000 per iteration are those of MATH, Open-Ended; of the others it says that most
# environments train in under 30 (facts of the paper, table of costs).
_MATH_MINUTES, _OTHER_MINUTES = 24.0, 30.0

EMBEDDED = Preset(
    "embedded",
    {
        domain.name: domain
        for domain in (
            Domain("math", "Mathematics", "math_procedural", "tiny_text", _FRESH),
            Domain("vqa", "VQA", "vqa_procedural", "tiny_vlm", _FRESH),
            Domain("code", "Programming", "code_procedural", "tiny_text", _FRESH),
            # Whole plans of tools take more to learn: from 600 records, this student learns none of them.
            Domain("tool_use", "Tool use", "tool_use_procedural", "tiny_text", _FRESH, records=1000),
        )
    },
    teachers="procedural",
    records=600,
    steps=4,
)

PAPER = Preset(
    "paper",
    {
        domain.name: domain
        for domain in (
            Domain("gqa", "GQA (PaliGemma-3B)", "gqa", "paligemma_3b", _DRAWN, _OTHER_MINUTES, discovered=True),
            Domain(
                "math",
                "MATH (Gemma-2-2B-it)",
                "math",
                "gemma2_2b",
                {**_MATH_SPLITS, **_FP16},
                gpu_minutes=_MATH_MINUTES,
                discovered=True,
            ),
            Domain(
                "livecodebench",
                "LiveCodeBench (Llama-3-8B-it)",
                "livecodebench",
                "llama3_8b",
                {"model.init_args.max_new_tokens": 2000, **_FP16},
                gpu_minutes=_OTHER_MINUTES,
                discovered=True,
            ),
            Domain(
                "naturalbench",
                "NaturalBench (PaliGemma-3B)",
                "naturalbench",
                "paligemma_3b",
                _DRAWN,
                gpu_minutes=_OTHER_MINUTES,
                discovered=True,
            ),
            Domain(
                "mnms",
                "m&m's (Llama-3-8B-it)",
                "mnms",
                "llama3_8b",
                {"model.init_args.max_new_tokens": 256, **_FP16},
                gpu_minutes=_OTHER_MINUTES,
                discovered=True,
            ),
        )
    },
    teachers="llm",
    records=750,  # the paper's best student in mathematics had 752
    steps=10,
    environments={"skill_tree": _ALTERNATING},
)

PRESETS = {preset.name: preset for preset in (EMBEDDED, PAPER, rehearsed(PAPER))}
