"""Fixtures for tests that log in to databases with IAM."""
