"""aiomysql's classes, with the types of the stub ``stubs.pyi``: aiomysql 0.3.2 ships none.

``tests/typing/test_aiomysql_stub.py`` compares the stub with aiomysql.
"""

from aiomysql import Connection as TypedConnection
from aiomysql import Pool as TypedPool

__all__ = ["TypedConnection", "TypedPool"]
