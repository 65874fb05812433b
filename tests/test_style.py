"""Prose in code, tests and documents: openings of docstrings, length of lines; and the tree of exceptions."""

import ast
import builtins
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

import pytest

from tests.conftest import ROOT

FOLDERS = ("data", "model", "training", "serve")
MODULES = {
    str(path.relative_to(ROOT)): path for name in FOLDERS for path in sorted((ROOT / name).rglob("*.py"))
}
TESTS = {str(path.relative_to(ROOT)): path for path in sorted((ROOT / "tests").rglob("*.py"))}
DOCUMENTS = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.glob("*.md"))} | {
    str(path.relative_to(ROOT)): path
    for name in (*FOLDERS, "notebooks", "tests")
    for path in sorted((ROOT / name).rglob("*.md"))
}
CODE_WIDTH, DOCUMENT_WIDTH = 120, 160
QUESTION = re.compile(r"(What|Who|Whether|Which|How|That)\b")
PRAGMA = re.compile(r"#\s*(type:|noqa|fmt:)")

PENDING_FILE = ROOT / "tests" / "style_pending.txt"
PENDING = frozenset(PENDING_FILE.read_text("utf-8").split())
"""Modules, documents and exceptions that do not follow the rules yet. The list may only become shorter."""


parsed = cache(ast.parse)


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield docstrings of modules, classes and functions, and strings that describe an assignment above them."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            yield from _string(body[0])
        for before, after in pairwise(body):
            if isinstance(before, ast.Assign | ast.AnnAssign):
                yield from _string(after)


def _string(node: ast.stmt) -> Iterator[ast.Constant]:
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        yield node.value


def questions(text: str) -> Iterator[str]:
    """Yield the docstrings that begin like an indirect question."""
    for docstring in docstrings(parsed(text)):
        if QUESTION.match(str(docstring.value).lstrip()):
            yield f"line {docstring.lineno}: {str(docstring.value).split(chr(10))[0][:60]!r}"


def long_lines(text: str) -> Iterator[str]:
    """Yield the lines of docstrings and comments that are too long; pragmas are no prose."""
    if all(len(line) <= CODE_WIDTH for line in text.split("\n")):
        return
    prose = {
        number
        for docstring in docstrings(parsed(text))
        for number in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1)
    }
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    prose |= {
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and not PRAGMA.match(token.string)
    }
    for number, line in enumerate(text.split("\n"), start=1):
        if number in prose and len(line) > CODE_WIDTH:
            yield f"line {number}: {len(line)} characters"


def faults(name: str) -> list[str]:
    text = (MODULES | TESTS)[name].read_text("utf-8")
    return [*questions(text), *long_lines(text)]


def wide_lines(name: str) -> list[str]:
    """Return the lines of a document that are too wide; addresses do not count, tables and code may be wider."""
    found, fenced = [], False
    for number, line in enumerate(DOCUMENTS[name].read_text("utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        shown = re.sub(r"\]\([^)]*\)|https?://\S+", "", line)
        if not fenced and not line.lstrip().startswith("|") and len(shown) > DOCUMENT_WIDTH:
            found.append(f"line {number}: {len(shown)} characters")
    return found


def outside_the_tree() -> set[str]:
    """Return the names of exceptions that are not below BelowlineError."""
    bases: dict[str, set[str]] = {}
    for path in MODULES.values():
        for node in ast.walk(parsed(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                names = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                bases[node.name] = bases.get(node.name, set()) | names
    exceptions = {name for name in bases if _is_exception(name, bases)} - {"BelowlineError"}
    return {name for name in exceptions if "BelowlineError" not in _ancestors(name, bases)}


def _ancestors(name: str, bases: dict[str, set[str]]) -> set[str]:
    direct = bases.get(name, set()) - {name}
    return direct.union(*(_ancestors(base, bases) for base in direct))


def _is_exception(name: str, bases: dict[str, set[str]]) -> bool:
    known = [getattr(builtins, base, None) for base in _ancestors(name, bases)]
    return any(isinstance(one, type) and issubclass(one, Exception) for one in known)


@cache
def all_faults() -> Mapping[str, list[str]]:
    """Return the faults of each module, test file, document and exception that has any."""
    found = {name: faults(name) for name in MODULES | TESTS} | {name: wide_lines(name) for name in DOCUMENTS}
    found |= {name: ["is not below BelowlineError"] for name in outside_the_tree()}
    return {name: each for name, each in found.items() if each}


@pytest.mark.slow
def test_docstrings_comments_documents_and_exceptions_keep_the_rules() -> None:
    wrong = [
        f"{name}: {fault}" for name in all_faults() if name not in PENDING for fault in all_faults()[name]
    ]
    assert not wrong, "\n".join(wrong)


def test_what_keeps_the_rules_is_not_pending() -> None:
    kept = sorted(PENDING - all_faults().keys())
    assert not kept, f"remove from {PENDING_FILE.name}: {', '.join(kept)}"
