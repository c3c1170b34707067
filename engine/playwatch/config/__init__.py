"""Configuration: YAML with positions, checked as a whole, secrets kept out of sight."""
