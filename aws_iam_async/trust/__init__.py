"""Whom a connection trusts: the RDS certificate authorities, TLS contexts made of them, and the name to expect."""
