"""`python -m dcsim`."""

from dcsim.cli.main import main

main()
