"""The log in Kafka: how a record is written and read, appended and fed."""
