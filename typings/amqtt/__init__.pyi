"""What we use of amqtt, whose own types are not complete."""
