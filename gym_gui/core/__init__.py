"""Plain data, ids, paths, clock and errors.

Owns: what several layers must agree on.
Knows nothing of environments, rings, Qt, gRPC or SQLite. Standard library only, Python >= 3.9:
it runs inside the user's training process too.
"""
