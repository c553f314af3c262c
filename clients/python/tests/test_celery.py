"""The recipe for Celery in README.md, as it is written there."""

import re
from pathlib import Path

import pytest

pytest.importorskip("celery")

README = Path(__file__).parents[1] / "README.md"


def test_the_recipe_works(pytester):
    recipe = README.read_text(encoding="utf-8").partition("## Celery")[2]
    conftest, test = re.findall(r"```python\n(.*?)```", recipe, re.DOTALL)[:2]
    pytester.makeconftest(conftest)
    pytester.makepyfile(test)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
