"""Stock LightningCLI on a student, with every fault of options, parts and checkpoints as one error of ours."""

import contextlib
import inspect
import math
import shutil
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from datamodules import StudentDataModule
from environments.quiet import quieten
from environments.refusals import refused_options, refused_training
from lightning_modules import StudentModule
from lightning_modules.callbacks import SkillMetrics
from tasks.base import Task
from tasks.errors import ConfigurationError, MissingFileError, RunDirectoryError, causes, failing_as, one_line, reason

_CHECKPOINT_KEYWORDS = ("best", "last", "hpc", "registry")  # which Lightning looks up itself
_CHECKPOINTS = "checkpoint_connector.py"  # the module of Lightning that puts a checkpoint into its parts


PARSER_KWARGS = {
    "allow_abbrev": False,  # else --trainer.max_epoch, a typo, is taken for max_epochs
    "exit_on_error": False,  # we print one line instead of the whole usage
}


class KeepConfig(SaveConfigCallback):
    """Keeps the configuration of a fit beside its logs and checkpoints, and overwrites nothing."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Nothing yet: the weights have not been read."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes config.yaml, if there is a folder for it; refuses a folder that holds one already."""
        if not _keeps(self.config.trainer):
            return
        try:
            super().setup(trainer, pl_module, "fit")
        except RuntimeError as error:
            if "to NOT exist" not in str(error):
                raise
            raise RunDirectoryError(
                f"{trainer.log_dir} holds a {self.config_filename} already: choose another trainer.default_root_dir."
            ) from None


class StudentCLI(LightningCLI):
    """Stock LightningCLI for one student on one records file, with the task as a block of its own.

    What libraries and configured classes raise while they are parsed and made becomes one error that names the option.
    """

    # Parts that no word can name, by option; an episode may have some.
    objects: Mapping[str, Any] = MappingProxyType({})

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the task and passes it to the data module."""
        required = "task" not in self.objects
        parser.add_subclass_arguments(Task, "task", required=required, help="What is asked and how it is scored.")
        parser.link_arguments("task", "data.init_args.task", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses the command line and the files that it names."""
        command = args[0] if args and args[0] in self.subcommands() else "episode"
        with refused_options(f"dataenvgym {command}"):
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
        check_trainer(given)
        with failing_as(ConfigurationError, f"No Trainer can be made of {told(given)}", "change these settings"):
            return super().instantiate_trainer(**kwargs)

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            with refused_training(told(self.config[subcommand].trainer.as_dict())):
                super()._run_subcommand(subcommand)
        except Exception as error:
            self._leave_nothing()
            path = self.config[subcommand].get("ckpt_path")
            frames = [frame for cause in causes(error) for frame in traceback.extract_tb(cause.__traceback__)]
            if path is None or not any(frame.filename.endswith(_CHECKPOINTS) for frame in frames):
                raise
            raise ConfigurationError(
                f"The checkpoint {path} cannot be taken up ({reason(error)}): name another --ckpt_path."
            ) from error

    def _leave_nothing(self) -> None:
        """Deletes the folder of logs that Lightning makes before it reads any weights, if no step was made since."""
        logger = self.trainer.logger
        if (
            self._get(self.config, "trainer").logger in (None, True)
            and logger is not None
            and not self.trainer.global_step
        ):
            logger.finalize("failed")
            folder = Path(str(logger.log_dir))
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # other fits have theirs beside it
                folder.parent.rmdir()


def run_training_command(words: Sequence[str]) -> int:
    """``dataenvgym fit | validate | test | predict``: stock LightningCLI."""
    quieten(lightning=False)
    try:
        StudentCLI(
            StudentModule,
            StudentDataModule,
            save_config_callback=KeepConfig,
            trainer_defaults={"callbacks": SkillMetrics()},  # validate and test would print nothing without it
            seed_everything_default=0,
            parser_kwargs={command: PARSER_KWARGS for command in LightningCLI.subcommands()} | PARSER_KWARGS,
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


def _keeps(trainer: Namespace) -> bool:
    """Whether a Trainer has a folder to write to other than the present one."""
    return trainer.logger is not False or trainer.default_root_dir is not None


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Refuses settings that Lightning accepts and that fail in the middle of a fit."""
    least = {"accumulate_grad_batches": 1, "check_val_every_n_epoch": 1, "gradient_clip_val": 0, "log_every_n_steps": 0}
    for name, lowest in least.items():
        value = trainer.get(name)
        if value is not None and not lowest <= value < math.inf:
            raise ConfigurationError(f"trainer.{name} is {value}: it must be at least {lowest}.")
    if trainer.get("val_check_interval") == 0:
        raise ConfigurationError("trainer.val_check_interval is 0: it must be more than 0.")


def told(trainer: Mapping[str, Any]) -> str:
    """The settings of a Trainer that were given."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(Trainer.__init__).parameters.items()}
    given = {name: value for name, value in trainer.items() if value is not None and value != defaults.get(name)}
    plain = {name: value for name, value in given.items() if isinstance(value, str | int | float | list)}
    return one_line(", ".join(f"trainer.{name}: {value}" for name, value in plain.items()), 250) or "its defaults"
