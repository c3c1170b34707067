"""Rule tests: written series go in, expected incidents and pages are held against what comes."""
