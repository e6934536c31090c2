"""IAM tokens: signed here, once for all concurrent callers, and served while they are valid."""
