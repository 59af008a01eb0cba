"""The front door: ``make`` an environment, ``run`` an episode, ``load`` a run; nothing below imports it."""

from dataenvgym.whole import check_whole

check_whole()

from dataenvgym.api import load, make, run  # noqa: E402  (only after it is clear whose packages these are)
from dataenvgym.envs import register  # noqa: E402

register()

__all__ = ["load", "make", "run"]
