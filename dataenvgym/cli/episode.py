"""LightningCLI with our blocks: task, model, data and trainer for training, environment and teacher for episodes."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from dataenvgym.cli.training import KeepConfig, StudentCLI, check_trainer, told
from dataenvgym.running import run_in_directory
from datamodules import StudentDataModule
from environments.base import MakeEnvironment
from environments.loop.dry_run import dry_run, expectation
from environments.refusals import refused_options
from environments.run.directory import RunDir
from lightning_modules import StudentModule
from lightning_modules.callbacks import SkillMetrics
from tasks.errors import ConfigurationError, failing_as
from teachers.chat.meter import Rehearsal
from teachers.teacher import Teacher

_PARSER_KWARGS = {
    "allow_abbrev": False,  # else --trainer.max_epoch, a typo, is taken for max_epochs
    "exit_on_error": False,  # we print one line instead of the whole usage
}


class EpisodeCLI(StudentCLI):
    """Builds every part of an episode; the loop itself is run_episode."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds teacher, environment and run directory to the blocks of a training."""
        super().add_arguments_to_parser(parser)
        parser.add_subclass_arguments(Teacher, "teacher", required=True, help="Policy and engine.")
        parser.link_arguments("task", "teacher.init_args.task", apply_on="instantiate")
        parser.add_argument(
            "--environment",
            type=MakeEnvironment,
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
        given = self.config.trainer.as_dict()
        check_trainer(given)
        with failing_as(ConfigurationError, f"No Trainer can be made of {told(given)}", "change these settings"):
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
        run_dir=RunDir(
            _default_run_dir(names, config.seed_everything) if config.run_dir is None else config.run_dir
        ).path,
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


def _default_run_dir(names: Mapping[str, str], seed: int) -> str:
    return "runs/" + "-".join([*names.values(), f"seed{seed}"])


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
