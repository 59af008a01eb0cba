import math

import pytest

from tasks.errors import ConfigurationError, check_range


@pytest.mark.parametrize("value", [1, 2.5, None])
def test_values_in_range_pass(value):
    check_range("task.init_args", size=value)


@pytest.mark.parametrize(
    ("value", "ends", "said"),
    [
        (0, {}, "Part: size is 0; it must be at least 1."),
        (math.nan, {}, "Part: size is nan; it must be at least 1."),
        (math.inf, {}, "Part: size is inf; it must be at least 1."),
        (1.5, {"low": 0, "high": 1}, "Part: size is 1.5; it must lie between 0 and 1."),
        (1, {"low": 0, "high": 1, "open_ends": True}, "Part: size is 1; it must lie between 0 and 1."),
        (0, {"low": 0, "open_ends": True}, "Part: size is 0; it must be more than 0."),
    ],
)
def test_values_out_of_range_are_one_line(value, ends, said):
    with pytest.raises(ConfigurationError) as error:
        check_range("Part", **ends, fits=1 if not ends else 0.5, size=value)
    assert str(error.value) == said
