"""aiomysql: MySQL and MariaDB."""
