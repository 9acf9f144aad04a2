"""How records are carried and kept: batches, bus, sink, store, reader.

Owns: the run's SQLite file and its schema, the in-process bus, and the one thread that writes.
Knows nothing of Qt, gRPC or the spool's lines.
"""
