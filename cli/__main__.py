"""`python -m cli` is `lorecast`."""

from cli.main import main

main()
