"""The official focus-validator, in an environment of its own, on what is exported.

Its release 1.0.0 has rules for FOCUS 1.0 and none for later versions, so these are what it checks:
1.2 and 1.4 kept the columns and values of which they speak. Five of its rules ask for columns that
no version has (`Provider` for `ProviderName` and such), or for a column of a draft. The
specification's own sample data breaks them too. They are set aside by name, and a test says so.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.spend.export.conftest import Exported

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = Path(os.environ.get("CLEARBAR_FOCUS", ROOT / ".venv-focus"))
PROGRAM: Final = FOLDER / "bin" / "focus-validator"
ABSENT: Final = "focus-validator is not installed in .venv-focus: make focus"
OF_NO_VERSION: Final = frozenset(
    {
        "InvoiceIssuer_Required",
        "Provider_Required",
        "Publisher_Required",
        "ResourceID_Required",
        "SkuPriceId_Nullable",
    }
)
"""Rules of columns that FOCUS names otherwise, and one that needs `ChargeType`: it has none."""


def failed_rules(path: Path, *options: str) -> set[str]:
    """Return the names of the validator's rules that a file breaks.

    It finds its list of currencies relative to the folder where it is installed.
    """
    [installed] = FOLDER.glob("lib/python*/site-packages")
    command = [str(PROGRAM), "--data-file", str(path), "--validate-version", "1.0", *options]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, check=False)
    failed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" failed:")}
    assert ("Validation succeeded." in done.stdout) == (not failed), done.stdout + done.stderr
    return failed


@pytest.fixture(scope="module")
def set_aside(tmp_path_factory: pytest.TempPathFactory) -> str:
    if not PROGRAM.exists():
        pytest.skip(ABSENT)
    path = tmp_path_factory.mktemp("validator") / "overrides.yaml"
    path.write_text("overrides:\n" + "".join(f"  - {name}\n" for name in sorted(OF_NO_VERSION)))
    return str(path)


@pytest.mark.parametrize("form", ["focus-1.2", "focus-1.4"])
def test_the_official_validator_passes_an_export(
    exported: Exported, set_aside: str, form: str
) -> None:
    path = exported.write(form, f"{form}.csv")
    assert failed_rules(path, "--override-file", set_aside) == set()


@pytest.mark.parametrize("form", ["focus-1.2", "focus-1.4"])
@pytest.mark.usefixtures("set_aside")
def test_all_that_it_would_find_are_columns_of_no_version(exported: Exported, form: str) -> None:
    assert failed_rules(exported.write(form, f"{form}.csv")) == OF_NO_VERSION


@pytest.mark.usefixtures("set_aside")
def test_the_samples_of_the_specification_break_these_too(shared_data: Path) -> None:
    assert failed_rules(shared_data / "formats" / "focus" / "focus_sample.csv") >= OF_NO_VERSION


def test_a_file_that_breaks_a_rule_does_not_pass(
    exported: Exported, set_aside: str, tmp_path: Path
) -> None:
    text = exported.write("focus-1.4", "good.csv").read_text().replace(",USD,", ",dollars,")
    path = tmp_path / "bad.csv"
    path.write_text(text)
    failed = failed_rules(path, "--override-file", set_aside)
    assert failed == {"BillingCurrency_IsCurrencyCode"}
