"""LightningCLI with our blocks: task, model, data and trainer for training, environment and teacher for episodes."""

from __future__ import annotations

import copy
import logging
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from datamodules import StudentDataModule
from environments.base import Environment
from environments.configuration_files import check_words
from environments.dry_run import dry_run, expectation
from environments.episode import run_in_directory
from environments.refusals import refused_options
from environments.student_loop import StudentLoop
from lightning_modules import StudentModule
from lightning_modules.callbacks import SkillMetrics
from tasks.base import Task
from tasks.errors import ConfigurationError, MissingFileError, RunDirectoryError, failing_as, reason
from teachers.chat.rehearsal import Rehearsal
from teachers.teacher import Teacher

_PARSER_KWARGS = {
    "allow_abbrev": False,  # else --trainer.max_epoch, a typo, is taken for max_epochs
    "exit_on_error": False,  # we print one line instead of the whole usage
}

_DECIDING = ("accelerator", "strategy", "devices", "num_nodes", "precision", "max_epochs", "max_steps", "max_time")
_CHECKPOINT_KEYWORDS = ("best", "last", "hpc", "registry")  # which Lightning looks up itself
_CHECKPOINTS = "checkpoint_connector.py"  # the module of Lightning that puts a checkpoint into its parts


class KeepConfig(SaveConfigCallback):
    """Keeps the configuration of a fit beside its logs and checkpoints, and overwrites nothing."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Writes config.yaml, if this is a fit and there is a place of its own for it.

        Raises:
            RunDirectoryError: There is one already.
        """
        if stage != "fit" or not _keeps(self.config.trainer):
            return
        try:
            super().setup(trainer, pl_module, stage)
        except RuntimeError as error:
            if "to NOT exist" not in str(error):
                raise
            raise RunDirectoryError(
                f"{trainer.log_dir} holds a {self.config_filename} already: choose another trainer.default_root_dir."
            ) from None


class StudentCLI(LightningCLI):
    """Stock LightningCLI for one student on one records file, with the task as a block of its own.

    What libraries and the classes that a configuration names raise while they are parsed and made is the
    configuration's doing: it becomes one error each, with the option.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the task and hands it to the data module."""
        parser.add_subclass_arguments(Task, "task", required=True, help="What is asked and how it is scored.")
        parser.link_arguments("task", "data.init_args.task", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses the command line and the files that it names."""
        check_words(args)
        with refused_options(f"dataenvgym {self._command(args)}"):
            super().parse_arguments(parser, args)

    def _parse_ckpt_path(self) -> None:
        path = self.config.get(self.config.get("subcommand") or "", {}).get("ckpt_path")
        if path is None or path in _CHECKPOINT_KEYWORDS:
            return
        if not Path(path).is_file():
            raise MissingFileError(f"--ckpt_path {path} is no file (looked from {Path.cwd()}): check the path.")
        with failing_as(ConfigurationError, f"The checkpoint {path} cannot be read", "name another --ckpt_path"):
            super()._parse_ckpt_path()

    def _set_seed(self) -> None:
        seed = self._get(self.config, "seed_everything")
        with failing_as(ConfigurationError, f"seed_everything is {seed}"):
            super()._set_seed()

    def before_instantiate_classes(self) -> None:
        """Writes no checkpoint into the present folder: Lightning does where there is neither logger nor root."""
        trainer = self._get(self.config, "trainer")
        if not _keeps(trainer) and trainer.enable_checkpointing is None and not trainer.callbacks:
            trainer.enable_checkpointing = False

    def instantiate_classes(self) -> None:
        """Makes the parts of the configuration."""
        with refused_options(f"dataenvgym {self.subcommand or 'episode'}", "The parts of this configuration fail"):
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Makes the Trainer."""
        given = self._get(self.config, "trainer").as_dict()
        with failing_as(ConfigurationError, f"No Trainer can be made of {_told(given)}", "change these settings"):
            return super().instantiate_trainer(**kwargs)

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except Exception as error:
            path = self.config[subcommand].get("ckpt_path")
            if path is None or not any(
                frame.filename.endswith(_CHECKPOINTS) for frame in traceback.extract_tb(error.__traceback__)
            ):
                raise
            raise ConfigurationError(
                f"The checkpoint {path} cannot be taken up ({reason(error)}): name another --ckpt_path."
            ) from error

    def _command(self, args: Sequence[str]) -> str:
        return str(args[0]) if args and args[0] in self.subcommands() else "episode"


class EpisodeCLI(StudentCLI):
    """Builds every part of an episode; the loop itself is run_episode."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds teacher, environment and run directory to the blocks of a training."""
        super().add_arguments_to_parser(parser)
        parser.add_subclass_arguments(Teacher, "teacher", required=True, help="Policy and engine.")
        parser.link_arguments("task", "teacher.init_args.task", apply_on="instantiate")
        parser.add_argument(
            "--environment",
            type=Callable[[Task, StudentLoop], Environment],
            required=True,
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
        given = _told(self.config.trainer.as_dict())
        with failing_as(ConfigurationError, f"No Trainer can be made of {given}", "change these settings"):
            return Trainer(**{**template, "callbacks": callbacks, **overrides})

    def config_text(self) -> str:
        """The composed configuration as YAML, without what only says where this run is kept."""
        config = self.config.clone()
        for key in ("run_dir", "resume", "dry_run", "config"):
            config.pop(key, None)
        return str(self.parser.dump(config, skip_none=False, skip_link_targets=True, skip_validation=True))


def run_episode_command(words: Sequence[str]) -> int:
    """``dataenvgym episode``: builds the parts, runs the loop, writes the report."""
    cli = _episode(words)
    parts, config = cli.config_init, cli.config
    if config.dry_run:
        print(expectation(*_rehearsed(cli)))
        return 0
    names = {block: _class_name(config[block]) for block in ("task", "environment", "teacher")}
    if policy := config.teacher.init_args.get("policy"):
        names["teacher"] = _class_name(policy)  # the policy says more than the Teacher that holds it
    run_in_directory(
        task=parts["task"],
        student=cli.model,
        data=cli.datamodule,
        make_trainer=cli.instantiate_trainer,
        make_environment=parts["environment"],
        teacher=parts["teacher"],
        run_dir=Path(config.run_dir or "runs/" + "-".join([*names.values(), f"seed{config.seed_everything}"])),
        config=cli.config_text(),
        seed=config.seed_everything,
        resume=config.resume,
        names=names | {"student": _model_name(config.model)},
    )
    return 0


def rehearse_episode(words: Sequence[str]) -> tuple[Rehearsal, float | None]:
    """What ``--dry_run`` prints of an episode, for programs.

    Args:
        words: What follows ``dataenvgym episode``, with or without ``--dry_run``.

    Returns:
        The calls that its teacher would make, and the teacher's cap in dollars.
    """
    return _rehearsed(_episode([*words, "--dry_run"]))


def run_training_command(words: Sequence[str]) -> int:
    """``dataenvgym fit | validate | test | predict``: stock LightningCLI."""
    _quieten(keep_lightning=True)
    try:
        StudentCLI(
            StudentModule,
            StudentDataModule,
            save_config_callback=KeepConfig,
            trainer_defaults={"callbacks": SkillMetrics()},  # validate and test would print nothing without it
            seed_everything_default=0,
            parser_kwargs={command: dict(_PARSER_KWARGS) for command in LightningCLI.subcommands()} | _PARSER_KWARGS,
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=list(words),
            auto_configure_optimizers=False,
        )
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error  # Lightning turns Ctrl-C into sys.exit(1)
        raise
    return 0


def _episode(words: Sequence[str]) -> EpisodeCLI:
    """The parts of an episode.

    Raises:
        ConfigurationError: It has no seed.
    """
    _quieten()
    cli = EpisodeCLI(
        StudentModule,
        StudentDataModule,
        save_config_callback=None,
        seed_everything_default=0,
        parser_kwargs=dict(_PARSER_KWARGS),
        subclass_mode_model=True,
        subclass_mode_data=True,
        args=list(words),
        run=False,
        auto_configure_optimizers=False,
    )
    if isinstance(cli.config.seed_everything, bool):
        raise ConfigurationError("seed_everything is false: an episode follows from its seed, give it a number.")
    return cli


def _rehearsed(cli: EpisodeCLI) -> tuple[Rehearsal, float | None]:
    parts = cli.config_init
    rehearsal = dry_run(parts["task"], parts["environment"], parts["teacher"], cli.config.seed_everything)
    return rehearsal, parts["teacher"].max_usd


def _keeps(trainer: Namespace) -> bool:
    """Whether a Trainer has a folder to write to other than the present one."""
    return trainer.logger is not False or trainer.default_root_dir is not None


def _told(trainer: Mapping[str, Any]) -> str:
    """The settings of a Trainer that decide whether it can be made, as far as they are given."""
    shown = {name: trainer.get(name) for name in _DECIDING if trainer.get(name) not in (None, "auto")}
    return ", ".join(f"trainer.{name}: {value}" for name, value in shown.items()) or "these trainer settings"


def _class_name(block: Namespace) -> str:
    return str(block.class_path).rsplit(".", 1)[-1]


def _model_name(block: Namespace) -> str:
    """The student's model, shortened to the last part of its path; the class of a student without one."""
    name = block.init_args.get("model_name_or_path")
    return Path(str(name)).name if name else _class_name(block)


def _quieten(keep_lightning: bool = False) -> None:
    """Silences what every new Trainer says again: hardware lines, tips, and deprecations inside libraries."""
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
    warnings.filterwarnings("ignore", message=".*LightningCLI's args parameter.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*litlogger.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*")
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it counts its retries aloud without a network
    # Long questions are cut by max_length, or read by models that bear them; the tokenizer cannot know.
    logging.getLogger("transformers.tokenization_utils_base").setLevel(logging.ERROR)
    if not keep_lightning:
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
