"""RDS IAM tokens: signed here, generated once for everyone, served until they may no longer be."""
