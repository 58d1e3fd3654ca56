"""A real Kafka and a real Postgres as child processes: no Docker, no root, no installed Java."""
