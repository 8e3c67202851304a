"""The packages of a wheel: every room of ftcli, and the top-level `recipes/` as ftcli.example_recipes.

Everything else is in pyproject.toml, which can say only one of the two.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["ftcli*"]), "ftcli.example_recipes"],
    package_dir={"ftcli.example_recipes": "recipes"},
)
