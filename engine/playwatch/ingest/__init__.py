"""Where messages come from: an MQTT broker, or one of our own."""
