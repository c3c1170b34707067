"""How fast it is here: latency, throughput and a storm, measured on the user's machine."""
