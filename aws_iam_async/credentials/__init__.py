"""AWS credentials: what they are, where they come from, and one service that has them ready."""
