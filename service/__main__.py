"""`python -m service` is the command `ws-service`."""

from service.cli import main

main()
