"""`python -m gateway` is `lgsp-gateway`."""

from gateway.cli import run


def main() -> None:
    """Run the command line."""
    run()


if __name__ == "__main__":
    main()
