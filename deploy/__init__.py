"""What runs beside Dunwell: Apache Kafka from its jars, the image, the compose file's parts."""
