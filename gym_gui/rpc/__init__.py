"""The slow lane's calls: the ``.proto``, the code generated from it, and the way in and out of it.

Owns: how records look on the wire.
Knows nothing of who sends them, of processes, files or Qt.
"""
