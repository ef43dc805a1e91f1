"""`python -m longshore` is the program `longshore`."""

from longshore.cli.main import main

main()
