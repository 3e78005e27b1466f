"""The parts of bench_transformers.py."""
