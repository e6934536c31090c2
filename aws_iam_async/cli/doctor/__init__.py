"""The doctor behind ``check``: examines a login step by step, and gives advice on each problem."""
