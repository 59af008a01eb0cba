"""Data modules: how records and instances become batches."""

from datamodules.student_datamodule import StudentDataModule

__all__ = ["StudentDataModule"]
