"""The whole product as its users meet it: separate processes, real broker, real database."""
