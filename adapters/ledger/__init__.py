"""The ledger in Postgres (psycopg 3, SQL one can see)."""
