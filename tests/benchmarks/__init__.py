"""Compares what the hub does with what bare code written for the one case would need; see docs/benchmarks.md."""
