"""AWS credentials: where they come from, and a cache that keeps them fresh."""
