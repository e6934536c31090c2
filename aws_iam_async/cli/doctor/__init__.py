"""The doctor behind ``check``: examines the way to a database step by step, and says what to do where it ends."""
