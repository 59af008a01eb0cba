"""Reads the calls off Python's syntax trees: nested, unassigned, positional and annotated ones alike."""

import ast
import builtins
import re
from collections.abc import Iterable

from tasks.tool_use.plans import Call, Mixed, Reference, Unknown, Value, make_call, references
from tasks.tool_use.tools import TOOLS

# What these are called with is passed on as it is: str(output0["number"]) means the same value.
_TRANSPARENT = frozenset({"str", "int", "float", "repr"})
_OUTPUT_NAME = re.compile(r"output_?(\d{1,4})")


class CodeReader:
    """Collects calls in the order in which they are carried out, and what each variable stands for.

    A call of a Python builtin counts only where its result is assigned (``x = print(...)``), and then as an invented
    tool, as in the benchmark. Methods of values (``.lower()``) and functions that the reply defines (``main()``) are no
    tools. Bodies of functions, loops and conditions are read once, where they stand.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._variables: dict[str, Value] = {}
        self._functions: set[str] = set()

    def read(self, tree: ast.Module) -> None:
        """Reads the statements of a tree; one that is nested too deeply is left where it gets too deep."""
        try:
            self._body(tree.body)
        except RecursionError:
            return

    def _body(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.Assign):
                self._assign(statement.targets, statement.value)
            elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
                self._assign([statement.target], statement.value)
            elif isinstance(statement, ast.Expr | ast.Return) and statement.value is not None:
                self._bare(statement.value)
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if statement.name in TOOLS:
                    continue  # what a reply believes the tool to be; its calls come later
                self._functions.add(statement.name)
                self._body(statement.body)
            else:
                self._compound(statement)

    def _compound(self, statement: ast.stmt) -> None:
        for name, field in ast.iter_fields(statement):
            if isinstance(field, ast.expr) and name not in ("target",):
                self._value(field)
            elif isinstance(field, list):
                for part in field:
                    if isinstance(part, ast.withitem):
                        value = self._value(part.context_expr)
                        if part.optional_vars is not None:
                            self._bind(part.optional_vars, value)
                    elif isinstance(part, ast.ExceptHandler):
                        self._body(part.body)
                    elif isinstance(part, ast.stmt):
                        self._body([part])

    def _bare(self, node: ast.expr) -> None:
        """A call whose result goes nowhere; in a tuple or list, each of its parts."""
        if isinstance(node, ast.Tuple | ast.List):
            for element in node.elts:
                self._bare(element)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and _is_builtin(node.func.id):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                self._value(argument)
        else:
            self._value(node)

    def _assign(self, targets: list[ast.expr], node: ast.expr) -> None:
        if isinstance(node, ast.Tuple) and all(
            isinstance(target, ast.Tuple) and len(target.elts) == len(node.elts) for target in targets
        ):
            values = [self._value(element, assigned=True) for element in node.elts]
            for target in targets:
                assert isinstance(target, ast.Tuple)
                for name, value in zip(target.elts, values, strict=True):
                    self._bind(name, value)
            return
        value = self._value(node, assigned=True)
        for target in targets:
            if isinstance(target, ast.Tuple | ast.List):
                self._unpack(target.elts, value)
            else:
                self._bind(target, value)

    def _bind(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self._variables[target.id] = value

    def _unpack(self, targets: list[ast.expr], value: Value) -> None:
        """``lon, lat = get_location(...)``: the outputs by their names, or by their order."""
        maker = TOOLS.get(self.calls[value.step].tool) if isinstance(value, Reference) else None
        outputs = list(maker.outputs) if maker else []
        named = {target.id for target in targets if isinstance(target, ast.Name)} == set(outputs)
        for place, target in enumerate(targets):
            if isinstance(value, Reference) and len(outputs) == len(targets):
                output = target.id if named and isinstance(target, ast.Name) else outputs[place]
                self._bind(target, Reference(value.step, output))
            else:
                self._bind(target, Unknown("part", tuple(references(value))))

    def _value(self, node: ast.expr, assigned: bool = False) -> Value:
        """What an expression stands for; the calls in it are collected."""
        if isinstance(node, ast.Constant):
            try:
                return str(node.value)
            except ValueError:  # Python writes out no whole number of more than some thousand digits
                return Unknown("number")
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.Call):
            return self._call(node, assigned)
        if isinstance(node, ast.Subscript | ast.Attribute):
            return self._part(node)
        if isinstance(node, ast.JoinedStr):
            return _joined([self._value(part) for part in node.values])
        if isinstance(node, ast.FormattedValue | ast.Await | ast.Starred):
            return self._value(node.value)
        if isinstance(node, ast.NamedExpr):
            self._bind(node.target, value := self._value(node.value))
            return value
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, texts = node.left, _is_text(node.right)
            while isinstance(left, ast.BinOp):  # sums grow on the left side
                texts, left = texts or _is_text(left.right), left.left
            if texts or _is_text(left):
                return _joined([self._value(node.left), self._value(node.right)])
        return self._other(node)

    def _name(self, name: str) -> Value:
        if name in self._variables:
            return self._variables[name]
        # Calls whose results nobody named are meant by the benchmark's own names for them.
        match = _OUTPUT_NAME.fullmatch(name)
        if match and int(match[1]) < len(self.calls):
            return Reference(int(match[1]), None)
        return Unknown(name)

    def _part(self, node: ast.Subscript | ast.Attribute) -> Value:
        """``output0["text"]``, ``output0.text`` and, further in, ``output0["objects"][0]``."""
        value = self._value(node.value)
        if isinstance(node, ast.Attribute):
            key, text = node.attr, f".{node.attr}"
        else:
            index = self._value(node.slice)
            key = index if isinstance(index, str) else "?"
            text = f"[{key}]"
        if isinstance(value, Reference):
            return Reference(value.step, key if value.output is None else value.output + text)
        return Unknown(_written(value) + text, tuple(references(value)))

    def _call(self, node: ast.Call, assigned: bool) -> Value:
        function = node.func
        if isinstance(function, ast.Attribute) and (function.attr not in TOOLS or self._is_result(function.value)):
            return self._method(function, node)
        if isinstance(function, ast.Name) and function.id in _TRANSPARENT and len(node.args) == 1:
            return self._value(node.args[0])
        own = isinstance(function, ast.Name) and function.id in self._functions
        if isinstance(function, ast.Name) and (own or (_is_builtin(function.id) and not assigned)):
            values = [self._value(argument) for argument in node.args]
            return Unknown(function.id, tuple(one for value in values for one in references(value)))
        if isinstance(function, ast.Name | ast.Attribute):
            name = function.id if isinstance(function, ast.Name) else function.attr
            arguments = self._arguments(name, node)
            self.calls.append(make_call(name, arguments, self.calls))
            return Reference(len(self.calls) - 1, None)
        return self._other(node)

    def _is_result(self, node: ast.expr) -> bool:
        """Whether an expression begins with a variable, so that its methods are not tools (``objects.count()``)."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        return not isinstance(node, ast.Name) or not isinstance(self._name(node.id), Unknown)

    def _arguments(self, tool: str, node: ast.Call) -> dict[str, Value]:
        names = list(TOOLS[tool].arguments) if tool in TOOLS else []
        arguments: dict[str, Value] = {}
        for place, argument in enumerate(node.args):
            arguments[names[place] if place < len(names) else f"argument{place}"] = self._value(argument)
        for keyword in node.keywords:
            if keyword.arg is not None:
                arguments[keyword.arg] = self._value(keyword.value)
            elif isinstance(keyword.value, ast.Dict):
                for key, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                    name = key.value if isinstance(key, ast.Constant) else "?"
                    arguments[str(name)] = self._value(value)
            else:
                arguments["?"] = self._value(keyword.value)
        return arguments

    def _method(self, function: ast.Attribute, node: ast.Call) -> Value:
        value = self._value(function.value)
        arguments = [self._value(argument) for argument in node.args]
        if function.attr == "get" and isinstance(value, Reference) and value.output is None and arguments:
            return Reference(value.step, arguments[0] if isinstance(arguments[0], str) else "?")
        if function.attr == "format" and isinstance(value, str) and value.count("{}") == len(arguments):
            pieces: list[Value] = [value.split("{}")[0]]
            for argument, piece in zip(arguments, value.split("{}")[1:], strict=True):
                pieces += [argument, piece]
            return _joined(pieces)
        used = (one for part in (value, *arguments) for one in references(part))
        return Unknown(f"{_written(value)}.{function.attr}()", tuple(used))

    def _other(self, node: ast.expr) -> Value:
        """Anything else: a literal as its text, an expression as unknown with the results that flow into it."""
        try:
            return str(ast.literal_eval(node))
        except (ValueError, TypeError, SyntaxError, MemoryError):
            pass
        used: list[Reference] = []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                used.extend(references(self._value(child)))
            elif isinstance(child, ast.comprehension):
                used.extend(references(self._value(child.iter)))
        return Unknown(type(node).__name__, tuple(used))


def _is_builtin(name: str) -> bool:
    return hasattr(builtins, name) and name not in TOOLS


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _joined(values: list[Value]) -> Value:
    """Texts and results one after the other, as the simplest value that says so."""
    parts: list[str | Reference] = []
    for value in values:
        if isinstance(value, Unknown):
            used = tuple(one for each in values for one in references(each))
            return Unknown("+".join(map(_written, values)), used)
        for part in value.parts if isinstance(value, Mixed) else (value,):
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part != "":
                parts.append(part)
    if not parts:
        return ""
    return parts[0] if len(parts) == 1 else Mixed(tuple(parts))


def _written(value: Value) -> str:
    if isinstance(value, Unknown):
        return value.text[:200]
    return value[:200] if isinstance(value, str) else type(value).__name__
