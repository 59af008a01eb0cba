"""Whether the packages that dataenvgym stands on are its own: ``tasks`` is a name that other projects have, too."""

from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("tasks", "lightning_modules", "datamodules", "teachers", "environments")
_HOME = Path(__file__).resolve().parents[1]


def check_whole() -> None:
    """Refuses another project's folder that comes first under the name of a package beside this one.

    Raises:
        ImportError: Another project's folder of the same name comes first, or one is missing.
    """
    for name in PACKAGES:
        spec = find_spec(name)
        places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
        found = next((Path(place) for place in places if place), None)
        if found is None or _HOME not in found.resolve().parents:
            raise ImportError(
                f"dataenvgym in {_HOME} needs its package {name!r}, and Python finds "
                f"{'none' if found is None else f'that of another project at {found}'}: "
                "run from another folder, rename that one, or put it later on sys.path."
            )
