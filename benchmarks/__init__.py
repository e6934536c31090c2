"""Benchmarks of this package and of alternatives. ``make bench`` runs them and writes docs/benchmarks.md."""
