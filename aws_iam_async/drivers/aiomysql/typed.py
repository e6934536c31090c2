"""aiomysql's classes, of which the stub beside this file says the types: aiomysql 0.3.2 ships none.

``tests/typing/test_aiomysql_stub.py`` compares the stub with aiomysql.
"""

from aiomysql import Connection as TypedConnection
from aiomysql import Pool as TypedPool

__all__ = ["TypedConnection", "TypedPool"]
