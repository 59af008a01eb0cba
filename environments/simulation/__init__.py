"""Students as laws: accuracy by skill from records by skill, fitted to fits of a real student."""

from environments.simulation.bank import Fit, read_bank, write_bank
from environments.simulation.law import StaticLaw, cross_validated, fit_law
from environments.simulation.optimum import best_allocation

__all__ = ["Fit", "StaticLaw", "best_allocation", "cross_validated", "fit_law", "read_bank", "write_bank"]
