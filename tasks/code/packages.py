"""Where installed packages lie that programs may import besides the standard library."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence

from tasks.errors import ConfigurationError


def found_packages(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packages' own files and folders, and the folders that these are imported from.

    Raises:
        ConfigurationError: One is not installed.
    """
    own: list[str] = []
    for name in names:
        try:
            found = importlib.util.find_spec(name) if name.isidentifier() else None
        except (ImportError, ValueError):
            found = None
        places = [] if found is None else list(found.submodule_search_locations or filter(None, [found.origin]))
        if not all(map(os.path.exists, places)) or not places:
            raise ConfigurationError(
                f"packages: {name!r} is not installed here: pip install {name}, or leave it out of packages."
            )
        own += places
        # Where wheels put the libraries that a package brings along.
        own += [libraries for place in places if os.path.isdir(libraries := f"{place}.libs")]
    return tuple(own), tuple(dict.fromkeys(map(os.path.dirname, own)))
