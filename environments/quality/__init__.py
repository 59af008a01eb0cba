"""Quality filters: what keeps a record out of the pool, one small class for each reason."""

from environments.quality.filters import Filter, Finding, PoolFilter
from environments.quality.settings import QualityFilters

__all__ = ["Filter", "Finding", "PoolFilter", "QualityFilters"]
