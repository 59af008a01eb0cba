"""The import direction of the packages, read from the import statements themselves."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "tasks": {"tasks"},
    "lightning_modules": {"lightning_modules", "tasks"},
    "datamodules": {"datamodules", "tasks"},
    "teachers": {"teachers", "tasks"},
    "environments": {"environments", "teachers", "lightning_modules", "datamodules", "tasks"},
    "dataenvgym": {"dataenvgym", "environments", "teachers", "lightning_modules", "datamodules", "tasks"},
}
DOMAIN_WORDS = ("math", "code_", "livecodebench", "humaneval", "vqa", "naturalbench", "tool_use", "mnms")


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("package", ALLOWED)
def test_package_imports_only_what_lies_below_it(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        ours = {name.split(".")[0] for name in imports_of(path)} & set(ALLOWED) | {
            name.split(".")[0] for name in imports_of(path) if name.split(".")[0] in ("scripts", "tests", "configs")
        }
        assert ours <= ALLOWED[package], f"{path} imports {sorted(ours - ALLOWED[package])}"


@pytest.mark.parametrize("package", [name for name in ALLOWED if name != "tasks"])
def test_no_domain_is_named_outside_the_tasks(package):
    for path in (ROOT / package).rglob("*.py"):
        for name in imports_of(path):
            assert not (name.startswith("tasks.") and name.split(".")[1] in ("math", "code", "vqa", "tool_use")), path
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstring = ast.get_docstring(tree, clean=False)
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for text in texts - {docstring}:
            hits = [word for word in DOMAIN_WORDS if word in text.lower()]
            assert not hits or "\n" in text, f"{path} names the domain {hits} in {text!r}"


@pytest.mark.parametrize("package", ["tasks", "teachers"])
def test_light_packages_do_not_import_torch(package):
    import subprocess
    import sys

    check = f"import sys, {package}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, timeout=120).returncode == 0
