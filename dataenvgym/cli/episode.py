"""LightningCLI with our blocks: task, model, data and trainer for training, environment and teacher for episodes."""

import copy
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser

from dataenvgym.cli.configuration_files import MADE_IN_PYTHON, read_words
from dataenvgym.cli.training import PARSER_KWARGS, StudentCLI, check_trainer, told
from dataenvgym.running import run_in_directory
from datamodules import StudentDataModule
from environments.base import MakeEnvironment
from environments.loop.dry_run import dry_run, expectation
from environments.quiet import contained, quieten
from environments.refusals import refused_options
from environments.run.directory import RunDir
from lightning_modules import StudentModule
from tasks.errors import ConfigurationError, failing_as
from teachers.chat.calls import Calls
from teachers.chat.meter import Rehearsal
from teachers.teacher import Engine, Policy, Teacher


class EpisodeCLI(StudentCLI):
    """Builds every part of an episode; dataenvgym.running runs it.

    ``objects`` are parts that no word can name, by option. If a loop in Python teaches, ``taught_by`` is its name and
    ``calls`` are its calls to a chat model.
    """

    def __init__(
        self,
        words: Sequence[str],
        objects: Mapping[str, Any] | None = None,
        taught_by: str | None = None,
        calls: Calls | None = None,
    ) -> None:
        self.objects = dict(objects or {})
        self._taught_by = taught_by
        super().__init__(
            StudentModule,
            StudentDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_kwargs=PARSER_KWARGS,
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=list(words),
            run=False,
            auto_configure_optimizers=False,
        )
        if isinstance(self.config.seed_everything, bool):
            raise ConfigurationError("seed_everything is false: an episode follows from its seed, give it a number.")
        self.teacher: Teacher = self.config_init["teacher"]
        self.calls = calls if self.teacher is None else self.teacher.calls
        self.names = {block: self._name_of(block) for block in ("task", "environment", "teacher", "model")}
        self.names["student"] = self.names.pop("model")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds teacher, environment and run directory to the blocks of a training."""
        super().add_arguments_to_parser(parser)
        taught = self._taught_by is None
        parser.add_subclass_arguments(Teacher, "teacher", required=taught, help="Policy and engine.")
        parser.link_arguments("task", "teacher.init_args.task", apply_on="instantiate")
        parser.add_argument(
            "--environment",
            type=MakeEnvironment,
            required="environment" not in self.objects,
            help="What the teacher sees and may do, and the budget.",
        )
        parser.add_argument(
            "--run_dir",
            type=str | None,
            default=None,
            help="Where the run is written (default: runs/<task>-<environment>-<policy>-seed<seed>).",
        )
        parser.add_argument(
            "--resume", action="store_true", help="Continue the run of --run_dir if it was interrupted."
        )
        parser.add_argument(
            "--dry_run",
            action="store_true",
            help="Print the calls, tokens and dollars to expect of a teacher that asks a chat model; do nothing else.",
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses the words, and puts the objects in their places."""
        super().parse_arguments(parser, args)
        if self._taught_by is not None:
            self.config["teacher"] = None
        for option, given in self.objects.items():
            made = isinstance(given, Policy | Engine)
            self.config[option] = (lambda task, given=given: given) if made else given
        if self.objects:
            self.config_dump = yaml.safe_load(self.config_text())  # what Lightning calls the student's hyperparameters

    def instantiate_classes(self) -> None:
        """Builds every part; for a dry run, only what it goes through, so that it needs no student."""
        if not self.config.dry_run:
            super().instantiate_classes()
            return
        config = self.config.clone()
        for block in ("model", "data", "trainer"):
            config.pop(block, None)
        with refused_options("dataenvgym episode", "The parts of this configuration fail"):
            self.config_init = self.parser.instantiate_classes(config)

    def instantiate_trainer(self, **overrides: Any) -> Trainer:
        """A new Trainer, with new callbacks, from the untouched template."""
        template = copy.deepcopy(vars(self.config_init["trainer"]))
        callbacks = [*(template.pop("callbacks", None) or []), *overrides.pop("callbacks", [])]
        given = self.config.trainer.as_dict()
        check_trainer(given)
        with failing_as(ConfigurationError, f"No Trainer can be made of {told(given)}", "change these settings"):
            return Trainer(**{**template, "callbacks": callbacks, **overrides})

    def config_text(self) -> str:
        """The composed configuration as YAML, without what only says where this run is kept."""
        config = self.config.clone()
        for key in ("run_dir", "resume", "dry_run", "config"):
            config.pop(key, None)
        for option in self.objects:
            config[option] = None
        text = str(self.parser.dump(config, skip_none=False, skip_link_targets=True, skip_validation=True))
        if not self.objects and self._taught_by is None:
            return text
        blocks = yaml.safe_load(text)
        for option, given in self.objects.items():
            *block, last = option.split(".")
            kind = type(given)
            marked = {"class_path": f"{kind.__module__}.{kind.__qualname__}", MADE_IN_PYTHON: "an object"}
            reduce(getitem, block, blocks)[last] = marked
        if self._taught_by is not None:
            blocks["teacher"] = {MADE_IN_PYTHON: self._taught_by}
        return yaml.safe_dump(blocks, sort_keys=False)

    def default_run_dir(self) -> str:
        """Where a run is written that names no directory."""
        named = [self.names[block] for block in ("task", "environment", "teacher")]
        return "runs/" + "-".join([*named, f"seed{self.config.seed_everything}"])

    def _name_of(self, block: str) -> str:
        if block == "teacher" and self._taught_by is not None:
            return self._taught_by
        option = "teacher.init_args.policy" if block == "teacher" else block
        given = self.objects.get(option) or self.config.get(option) or self.config[block]
        if option not in self.objects:
            settings, name = given.init_args if "init_args" in given else {}, str(given.class_path).rsplit(".", 1)[-1]
        else:
            made = given.func if isinstance(given, partial) else given
            settings, name = getattr(given, "hparams", {}), getattr(made, "__name__", type(made).__name__)
        model = settings.get("model_name_or_path") if block == "model" else None
        return Path(str(model)).name if model else str(name)


def run_episode_command(words: Sequence[str]) -> int:
    """``dataenvgym episode``: builds the parts, runs the loop, writes the report."""
    quieten()
    episode = EpisodeCLI(words)
    config = episode.config
    if config.dry_run:
        print(expectation(*_rehearsed(episode)))
        return 0
    run_dir = episode.default_run_dir() if config.run_dir is None else config.run_dir
    run_in_directory(episode, RunDir(run_dir).path, config.resume)
    return 0


def rehearse_episode(words: Sequence[str]) -> tuple[Rehearsal, float | None]:
    """The calls that a teacher would make, as ``--dry_run`` prints them, and its cap in dollars."""
    with contained():
        return _rehearsed(EpisodeCLI(read_words([*words, "--dry_run"])))


def _rehearsed(episode: EpisodeCLI) -> tuple[Rehearsal, float | None]:
    parts, seed = episode.config_init, episode.config.seed_everything
    return dry_run(parts["task"], parts["environment"], episode.teacher, seed), episode.teacher.max_usd
