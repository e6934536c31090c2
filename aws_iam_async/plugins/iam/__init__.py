"""The ``iam`` plugin: log in with a token instead of a password."""
