"""`python -m toolweft` is the command `toolweft`."""

from toolweft.cli import main

main()
