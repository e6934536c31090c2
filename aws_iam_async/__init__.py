"""asyncio connection factory that logs asyncpg and aiomysql in to Amazon RDS and Aurora with AWS IAM."""

__version__ = "0.1.0"
