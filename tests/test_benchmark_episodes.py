"""Every benchmark in every environment, composed of shipped fragments alone, taught by the test server over HTTP.

Students are random models of two layers of the architecture that the student's fragment names, on a CPU; rows are of
our own making in the benchmarks' own fields. What a first paid run would trip over, it trips over here.
"""

import json

import pytest
from imitating_brain import ImitatingBrain
from llm_server import LLMServer
from tiny_models import make_tiny_model
from tiny_vision_models import make_tiny_vision_model

from dataenvgym.cli.main import main
from tests.tasks.code_rows import made_livecodebench
from tests.tasks.math_rows import made as made_math
from tests.tasks.tool_use_rows import made as made_mnms
from tests.tasks.vqa_folders import made as made_vqa

# By benchmark: the student's fragment, the architecture of its stand-in, a folder of rows, settings of the rows' size.
BENCHMARKS = {
    "math": ("gemma2_2b", "gemma2", made_math, {"task.init_args.val_per_group": 1}),
    "livecodebench": ("llama3_8b", "llama", made_livecodebench, {}),
    "mnms": ("llama3_8b", "llama", made_mnms, {}),
    "gqa": ("paligemma_3b", "paligemma", lambda: made_vqa("gqa"), {"task.init_args.per_type": 3}),
    "naturalbench": ("paligemma_3b", "paligemma", lambda: made_vqa("naturalbench"), {"task.init_args.groups": 6}),
}
SMALL = {
    "model.init_args.max_new_tokens": 8,
    "model.init_args.dtype": "float32",
    "trainer.accelerator": "cpu",
    "trainer.precision": "32-true",
    "trainer.max_epochs": 1,
    "trainer.accumulate_grad_batches": 1,
    "data.init_args.num_workers": 0,
    "environment.budget.max_records": 8,
    "environment.budget.max_steps": 2,
}


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The folder of a tiny model, by architecture."""
    made = {}

    def of(architecture):
        if architecture not in made:
            make = make_tiny_vision_model if architecture == "paligemma" else make_tiny_model
            made[architecture] = make(tmp_path_factory.mktemp("models") / architecture, architecture)
        return made[architecture]

    return of


@pytest.fixture
def chat_model(monkeypatch):
    with LLMServer(ImitatingBrain()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", server.key)
        yield server


def words(benchmark, environment, skills, rows, model):
    fragment, _, _, sizes = BENCHMARKS[benchmark]
    fragments = [f"tasks/{benchmark}", f"students/{fragment}", f"environments/{environment}"]
    fragments += [f"teachers/{environment}_llm", *([f"skills/{skills}"] if skills else [])]
    fragments += ["illustrators/openai_images"] if fragment == "paligemma_3b" else []
    settings = {"task.init_args.path": rows, "model.init_args.model_name_or_path": model, **SMALL, **sizes}
    return [
        "episode",
        *(word for name in fragments for word in ("--config", name)),
        *(word for key, value in settings.items() for word in (f"--{key}", str(value))),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["open_ended", "skill_list", "skill_tree"])
@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_an_episode_of_shipped_fragments_runs(benchmark, environment, student, chat_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, architecture, made, _ = BENCHMARKS[benchmark]
    discovered = None if environment == "open_ended" else "discovered"
    run = words(benchmark, environment, discovered, made(), student(architecture))
    assert main([*run, "--run_dir", "run"]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "finished" and summary["records"] == 8
    if discovered is None:
        return
    (frozen,) = (tmp_path / "runs" / "skills").glob("*.json")
    named = {one["name"] for one in json.loads(frozen.read_text())["categories"]}
    assert set(json.loads((tmp_path / "run" / "step_01" / "observation.json").read_text())["skills"]) == named
    asked = sum("SkillLabel" in json.dumps(body["response_format"]) for body in chat_model.bodies)
    assert asked > 0
    # The next episode of the same questions reads them, and asks for none.
    assert main([*run, "--run_dir", "again", "--seed_everything", "1"]) == 0
    assert sum("SkillLabel" in json.dumps(body["response_format"]) for body in chat_model.bodies) == asked
