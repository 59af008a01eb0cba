"""Package metadata: the one source of name, version, dependencies and the console command."""

from pathlib import Path

from setuptools import find_packages, setup

# The packages of docs and design; scripts, tests and benchmarks stay out of site-packages.
PACKAGES = ["tasks", "lightning_modules", "datamodules", "teachers", "environments", "dataenvgym"]

REQUIRES = [
    "torch>=2.10",  # tensors, training
    "lightning>=2.6,<2.7",  # Trainer, LightningModule, LightningCLI: the skeleton of everything here
    "transformers>=5.17,<6",  # student models, tokenizers, chat templates
    "peft>=0.19",  # LoRA
    "torchmetrics>=1.8",  # accuracies that accumulate correctly across processes
    "jsonargparse[signatures]>=4.50,<5",  # YAML and command line from constructor signatures
    "tensorboard>=2.20",  # curves
    "safetensors>=0.6",  # student weights on disk
    "math-verify>=0.9",  # equivalence of mathematical answers
    "antlr4-python3-runtime==4.13.2",  # the LaTeX grammar runtime that math-verify reads with
    "scipy>=1.15",  # bootstrap intervals and permutation tests
    "rich>=14",  # the live progress display
    "matplotlib>=3.10",  # curves and bars in the report, as SVG; sheets of images in TensorBoard
    "jinja2>=3.1",  # chat templates, teachers' prompts and the report page
    "pillow>=10",  # images of instances and records
    "pyyaml>=6",  # domain texts of tasks; jsonargparse reads configurations with it too
    "pydantic>=2.10",  # the schemas of replies of language models
    "openai[aiohttp]>=3",  # teachers that are language models, at any OpenAI-compatible endpoint, many calls at a time
    "huggingface_hub>=1",  # single files of benchmarks, and `dataenvgym export --to hub:…`
    "datasets>=4",  # benchmarks from the Hugging Face hub
    "gymnasium>=1.2.2,<2",  # teaching as a reinforcement learning environment, registered on `import dataenvgym`
    "scikit-learn>=1.6",  # which discovered skill an unseen instance is nearest to, by TF-IDF
]

EXTRAS = {
    "ray": ["ray>=2.60,<3"],  # scripts/reproduce with --launcher ray: cells of a grid on a cluster
    "rl": ["stable-baselines3>=2.7,<3"],  # scripts/train_ppo.py: reinforcement learning through the Gymnasium face
    "reasoning-gym": ["reasoning-gym>=0.1.23"],  # tasks.math.ReasoningGymTask, for students of real size
    "diffusers": ["diffusers>=0.30,<1", "accelerate>=1"],  # teachers.engines.DiffusersIllustrator
    "dev": [
        "pytest>=8",
        "pytest-timeout",  # a hung subprocess must not hang the suite
        "pytest-xdist",  # the suite on two cores
        "hypothesis",  # properties of scoring and planning
        "stable-baselines3>=2.7,<3",  # its checker of environments, and a training through them
        "ruff==0.17.5",
        "mypy==2.4.1",
        "types-PyYAML",
    ],
}

setup(
    name="dataenvgym",
    version="0.1.0",
    description="A testbed for data generation agents: teachers that improve a student model in a closed loop",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")]),
        "dataenvgym.configs",
    ],
    package_dir={"dataenvgym.configs": "configs"},  # so that `--config quickstart` works from any folder
    package_data={
        "dataenvgym.configs": ["*.yaml", "*/*.yaml"],
        "lightning_modules": ["pretrained/*/*"],
        "environments": ["*/prompts/*", "simulation/laws/*.npz"],
        "dataenvgym": ["*/templates/*", "envs/*.json", "suite/*.yaml", "suite/*.json", "suite/*/*.jsonl.gz"],
        "tasks": ["*/prompts/*", "*/README.md"],
        "teachers": ["chat/*.json", "*/prompts/*", "policies/weights/*.npz"],
    },
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["dataenvgym = dataenvgym.cli.main:console"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
