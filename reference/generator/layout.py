"""Generated lines as the formatter writes them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

WIDTH = 120  # columns
INDENT = 4  # of the body of a function
COMPARISON = ">="  # binds less tightly than the arithmetic on its sides


def call_lines(head: str, arguments: Sequence[str], indent: int = INDENT, end: str = "") -> list[str]:
    """`head(arguments)` on one line, or with the arguments on a line of their own, or each on one."""
    room = WIDTH - indent
    one = f"{head}({', '.join(arguments)}){end}"
    if len(one) <= room:
        return [one]
    middle = f"    {', '.join(arguments)}"
    if len(middle) <= room:
        return [f"{head}(", middle, f"){end}"]
    lines = [f"{head}("]
    for argument in arguments:
        call = re.fullmatch(r"([\w.]+)\((.*)\)", argument)
        if len(argument) + 5 > room and call is not None and _closes_at_the_end(f"({call[2]})"):
            lines += [f"    {line}" for line in call_lines(call[1], _split_arguments(call[2]), indent + 4, ",")]
        else:
            lines.append(f"    {argument},")
    return [*lines, f"){end}"]


def comment_lines(text: str) -> list[str]:
    """A comment on as many lines as it needs."""
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - INDENT - 2, break_long_words=False)]


def assignment_lines(name: str, text: str, indent: int = INDENT) -> list[str]:
    """`name = text` on one line, or one statement after the other: the terms of a sum, the factors of a product, the
    arguments of a call; a comparison in parentheses."""
    if text.startswith("(") and _closes_at_the_end(text):
        return assignment_lines(name, text[1:-1], indent)
    if len(name) + len(text) + 3 <= WIDTH - indent:
        return [f"{name} = {text}"]
    absent, _, rest = text.partition(" else ")
    if absent.startswith("None if ") and rest:
        return [f"{name} = None", f"if {absent.removeprefix('None if ').replace(' is None', ' is not None')}:"] + [
            f"    {line}" for line in assignment_lines(name, rest, indent + 4)
        ]
    if len(sides := _split(text, (COMPARISON,))) > 1:
        whole = [text] if len(text) <= WIDTH - indent - 4 else sides
        return [f"{name} = (", *(f"    {side}" for side in whole), ")"]
    for operators in ("+-", "*/@"):
        parts = _split(text, operators)
        if len(parts) > 1:
            return _one_by_one(name, parts, indent)
    call = re.fullmatch(r"([\w.]+)\((.*)\)", text)
    if call is None:
        return [f"{name} = {text}"]
    arguments, lines = _split_arguments(call[2]), []
    longest = max(arguments, key=len)
    if len(longest) + 5 > WIDTH - indent and " " in longest:
        lines = assignment_lines(name, longest, indent)
        arguments[arguments.index(longest)] = name
    return [*lines, *call_lines(f"{name} = {call[1]}", arguments, indent)]


def _one_by_one(name: str, parts: Sequence[str], indent: int) -> list[str]:
    """The operands joined from left to right, on as few lines as fit; one that is too long gets a name."""
    lines = assignment_lines(name, parts[0], indent)
    collected = name
    for part in parts[1:]:
        operator, operand = part[:2], part[2:]
        if 2 * len(name) + len(part) + 4 > WIDTH - indent:
            if collected != name:
                lines.append(f"{name} = {collected}")
                collected = name
            lines += assignment_lines(f"{name}_next", operand, indent)
            lines.append(f"{name} = {name} {operator}{name}_next")
            continue
        if len(name) + len(collected) + len(part) + 4 > WIDTH - indent and collected != name:
            lines.append(f"{name} = {collected}")
            collected = name
        collected = f"{collected} {part}"
    return [*lines, *([f"{name} = {collected}"] if collected != name else [])]


def _closes_at_the_end(text: str) -> bool:
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0:
            return place == len(text) - 1
    return False


def return_lines(values: Sequence[str]) -> list[str]:
    """The return statement on one line, or one value a line."""
    one = f"return {', '.join(values)}"
    if len(one) <= WIDTH - INDENT:
        return [one]
    return ["return (", *(f"    {value}," for value in values), ")"]


def _split(text: str, operators: Sequence[str]) -> list[str]:
    """The operands of the operators that stand outside all brackets, each after the first with its operator."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and any(text.startswith(f" {operator} ", place - 1) for operator in operators):
            parts.append(text[start : place - 1])
            start = place
    return [*parts, text[start:]]


def _split_arguments(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and text[place : place + 2] == ", ":
            parts.append(text[start:place])
            start = place + 2
    return [*parts, text[start:]]


def import_lines(module: str, names: Sequence[str]) -> list[str]:
    """`from module import names`; nothing if there are none."""
    if not names:
        return []
    one = f"from {module} import {', '.join(names)}"
    return [one] if len(one) <= WIDTH else [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def is_read(name: str, lines: Sequence[str]) -> bool:
    """Whether an array, or its shape, is read in some lines."""
    return any(re.search(rf"\b{name}\b", line.partition("#")[0]) for line in lines)
