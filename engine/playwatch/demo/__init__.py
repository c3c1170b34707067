"""Things to try Playwatch with: a simulated stream, a live table, a PagerDuty stand-in."""
