"""Apache Kafka without a container: its jars, held to a lock file, and one broker run from them."""
