"""Benchmarks of the two lanes: interleaved with their baseline, printed as ratios."""
