"""Where incidents, deliveries and snapshots survive a restart."""
