"""The subcommands of ``gym-gui``, one module each, loaded when they are called.

Owns: options, and how results and errors look in a terminal.
Knows nothing of how a run is trained, recorded or replayed; that is the services' part.
"""
