"""Run the command line: `python -m clearbar`."""

import os
import sys


def main() -> None:
    """Run the command line interface."""
    from clearbar.cli.main import cli  # noqa: PLC0415 - nothing loads before it is needed

    try:
        cli(prog_name="clearbar")
    finally:
        _flush()


def _flush() -> None:
    """Write out what is buffered; a reader that has gone away, as `head` does, is no error."""
    if sys.stdout is None:  # it was closed before we began
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
