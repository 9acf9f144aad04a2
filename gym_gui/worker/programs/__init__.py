"""Training programs that come with gym-gui. Ordinary scripts: they know nothing of gym-gui."""
