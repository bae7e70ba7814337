"""Put a mission on disk: valid unless asked otherwise, deterministic, and never by way of the reference."""
