"""`python -m gateway` is `lgsp-gateway`."""

import gc

gc.set_threshold(10_000)  # at the usual 700, a seventh of a start is looking for garbage


def main() -> None:
    """Run the command line."""
    from gateway.cli import run  # noqa: PLC0415 - processes that check signatures load this module, and need no command

    run()


if __name__ == "__main__":
    main()
