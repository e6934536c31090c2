"""How each database agrees with a client on TLS, before anything else is said."""
