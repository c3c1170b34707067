"""Files of rule tests: what may stand in them, and their mistakes."""
