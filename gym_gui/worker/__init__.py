"""The tap: what runs inside the user's training process.

Owns: injection (``install``, ``bootstrap``, ``hooks``), what is seen of environments (``envtap``,
``vector``, ``agents``, ``native``), what is kept of it (``spool``, ``encode``, ``protocol``) and
rendering on demand (``render``).
Knows nothing of the daemon, gRPC, SQLite or Qt. Standard library only, Python >= 3.9: it runs in
the user's own interpreter, with nothing of ours installed there.
"""
