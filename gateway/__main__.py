"""`python -m gateway` is `calgate`."""

from gateway.cli import main

main()
