"""What to do about each cause: pure functions from what is known to a text, and to the SQL, policy or command."""
