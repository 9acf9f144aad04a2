"""A run's records in forms that others read.

Owns: tables (CSV, JSON lines, Parquet), animations, Minari datasets, TensorBoard event files.
Every export shows its progress, can be broken off, and leaves no part of a file behind.
"""

from gym_gui.services.exporting.exporter import ENDINGS, Export, export

__all__ = ["ENDINGS", "Export", "export"]
