"""Run the command line: `python -m clearbar`."""


def main() -> None:
    """Run the command line interface."""
    from clearbar.cli.main import cli  # noqa: PLC0415 - nothing loads before it is needed

    cli(prog_name="clearbar")


if __name__ == "__main__":
    main()
