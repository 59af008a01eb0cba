"""LiveCodeBench's tests as its rows hold them: JSON, or JSON in a pickle in zlib in base64, read without trust."""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import zlib
from typing import Any

from tasks.errors import RecordError

# The largest tests of the benchmark unpack to some hundred megabytes; what claims to be more is a bomb.
_LARGEST = 1 << 30


class _TextOnly(pickle.Unpickler):
    """Builds texts, numbers and containers; refuses to look up any class or function, which is how pickles do harm."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it asks for an object from elsewhere")


def read_tests(packed: Any, where: str) -> list[dict[str, Any]]:
    """The tests of a row's field: each has ``input``, ``output`` and ``testtype``.

    Args:
        packed: The field: a list already, JSON, or the packed form.
        where: The row and field, for messages.

    Raises:
        RecordError: It is none of these, or its pickle holds anything but plain data.
    """
    if packed in (None, "", []):
        return []
    tests = packed
    if isinstance(packed, str):
        try:
            tests = json.loads(packed)
        except RecursionError:
            raise RecordError(f"{where} is nested too deeply: mend or delete that row.") from None
        except ValueError:
            tests = _unpack(packed, where)
    keys = ("input", "output", "testtype")
    if not isinstance(tests, list) or not all(
        isinstance(test, dict) and all(key in test for key in keys) for test in tests
    ):
        raise RecordError(f"{where} is no list of tests with {', '.join(keys)}: mend or delete that row.")
    return tests


def _unpack(packed: str, where: str) -> Any:
    try:
        decompressor = zlib.decompressobj()
        plain = decompressor.decompress(base64.b64decode(packed.encode("ascii"), validate=True), _LARGEST)
        if decompressor.unconsumed_tail:
            raise RecordError(f"{where} unpacks to more than {_LARGEST >> 20} MiB: delete that row.")
        data = _TextOnly(io.BytesIO(plain)).load()
        return json.loads(data) if isinstance(data, str | bytes) else data
    except (binascii.Error, UnicodeError, zlib.error, ValueError, RecursionError) as error:
        raise RecordError(f"{where} is neither JSON nor packed JSON ({error}): mend or delete that row.") from None
    # A damaged pickle may raise any of these, says its documentation.
    except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, KeyError, TypeError) as error:
        raise RecordError(f"{where} holds a pickle that is not plain data ({error}): delete that row.") from None
