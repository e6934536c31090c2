"""Real database servers for tests, each in a data directory of its own."""
