"""Runs of another machine, seen from this one.

Owns: the way there through ssh, the local copies of runs and of live rings.
Knows nothing of Qt. Whatever looks at a run here finds the same files as for a run of its own.
"""
