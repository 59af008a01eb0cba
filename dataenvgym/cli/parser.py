"""The parser of the commands that are not LightningCLI's: what is wrong with a command line is one of our errors."""

import argparse
import difflib
import re
from typing import Any, NoReturn

from tasks.errors import ConfigurationError


class CommandParser(argparse.ArgumentParser):
    """argparse without abbreviations and without printing its usage into every error."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raises a ConfigurationError, which names the known option that is most similar to an unknown one."""
        hint = ""
        if unknown := re.search(r"unrecognized arguments: (--[\w-]+)", message):
            options = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(unknown.group(1), options, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigurationError(f"{message}{hint} ({self.prog} --help lists the options)")
