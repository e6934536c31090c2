"""The steps of the examination, one module each: what it looks at, and what can be wrong there."""
