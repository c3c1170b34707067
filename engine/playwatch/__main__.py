"""Runs the command line: ``python -m playwatch``."""

from playwatch.cli import main

if __name__ == "__main__":
    main()
