"""The modules that the fork server imports once, so that no program has to."""

import builtins
import contextlib
import importlib
import os
import stat
import sys
from collections.abc import Sequence
from typing import Any

# Imported once here and not by every program; what is not named is still there to be imported.
_PRELOADED = (
    *("array", "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "hashlib"),
    *("heapq", "io", "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "sys", "time"),
    *("typing",),
)
# Imported besides where programs run as a user who may not look into the interpreter's folder, such as one in /root.
_OUT_OF_REACH = (
    *("__future__", "abc", "base64", "binascii", "calendar", "codecs", "concurrent.futures.thread", "contextlib"),
    *("dataclasses", "encodings.latin_1", "enum", "graphlib", "locale", "numbers", "pickle", "pprint", "queue"),
    *("resource", "signal", "struct", "textwrap", "threading", "traceback", "types", "unicodedata", "warnings"),
    *("weakref", "zlib"),
)
# What LiveCodeBench's harness defines for every program: all names of these modules, a later one's before an earlier
# one's, and then, but for the last, the modules by name.
_STARRED = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "typing"),
)


def preload(packages: Sequence[str], folders_of: Sequence[str]) -> dict[str, Any]:
    """Imports what programs use; gives the names that a preamble defines, without those that Python itself does."""
    modules = {name: importlib.import_module(name) for name in _PRELOADED}
    standard = list(sys.path)
    sys.path += folders_of  # for the packages alone: these folders may hold anything else
    for package in packages:
        importlib.import_module(package)
    sys.path[:] = standard
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # as in an interpreter with site
    names: dict[str, Any] = {}
    for name in _STARRED:
        module = modules[name]
        public = getattr(module, "__all__", None) or [key for key in vars(module) if not key.startswith("_")]
        names |= {key: getattr(module, key) for key in public}
    names |= {name: modules[name] for name in _STARRED if name != "typing"}
    return {name: value for name, value in names.items() if name not in vars(builtins)}


def import_what_is_out_of_reach() -> None:
    """Imports what programs may ask for, if they will run as a user who cannot read the standard library."""
    folder = os.path.dirname(os.__file__)
    while os.stat(folder).st_mode & stat.S_IXOTH:
        if folder == "/":
            return
        folder = os.path.dirname(folder)
    for name in _OUT_OF_REACH:
        with contextlib.suppress(ImportError):  # an interpreter may be built without it
            importlib.import_module(name)
