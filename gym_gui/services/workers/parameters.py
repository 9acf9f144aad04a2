"""A script's settings, read from its source without running it.

Two forms are known: CleanRL's tyro dataclass ``Args``, and ``argparse`` calls. What cannot be
evaluated safely (a default computed at run time) becomes a field without a shown default.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gym_gui.services.workers.fields import Field, Kind

UNKNOWN = None  # a default that only running the script would tell
_SIMPLE = {"bool": Kind.BOOL, "int": Kind.INT, "float": Kind.FLOAT, "str": Kind.TEXT}
_OURS = {"script", "args"}  # names of our own fields: a script's are left to the command line


@dataclass
class Scope:
    """What a default may refer to: the script's own path, and its module's constants."""

    script: Path
    names: dict[str, ast.expr] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module, script: Path) -> Scope:
        names = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        return cls(script, names)


def script_fields(script: Path) -> list[Field]:
    """Return the script's settings in their order; none when it has no form we can read."""
    tree = _parse(script)
    if tree is None:
        return []
    args = _tyro_class(tree)
    scope = Scope.of(tree, script)
    found = _dataclass_fields(args, scope) if args else _argparse_fields(tree, scope)
    return [field for field in found if field.name not in _OURS]


def looks_like_cleanrl(script: str | Path) -> bool:
    """Tell whether the script's settings are a tyro dataclass, or it lies in a CleanRL checkout."""
    path = Path(script).expanduser().absolute()
    tree = _parse(path)
    if tree is None:
        return False
    if _tyro_class(tree) is not None:
        return True
    return (path.parents[1] / "cleanrl_utils").is_dir() and bool(
        _argparse_fields(tree, Scope(path))
    )


def _parse(script: Path) -> ast.Module | None:
    if script.suffix != ".py" or not script.is_file():
        return None
    try:
        return ast.parse(script.read_bytes(), filename=str(script))
    except (SyntaxError, ValueError):
        return None  # the script's own interpreter says what is wrong, in the run's log


# -- tyro ------------------------------------------------------------------------------------


def _tyro_class(tree: ast.Module) -> ast.ClassDef | None:
    """Return the class that the script hands to ``tyro.cli``."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("tyro.cli", "cli")
            and node.args
            and isinstance(node.args[0], ast.Name)
        ):
            found = classes.get(node.args[0].id)
            if found is not None:
                return found
    return None


def _dataclass_fields(args: ast.ClassDef, scope: Scope) -> list[Field]:
    fields = []
    for node, after in zip(args.body, [*args.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            fields.append(_tyro_field(node.target.id, node, _docstring(after), scope))
    return fields


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def _tyro_field(name: str, node: ast.AnnAssign, text: str, scope: Scope) -> Field:
    kind, choices, optional = _annotation(node.annotation)
    default = UNKNOWN if node.value is None else evaluate(node.value, scope)
    option = "--" + name.replace("_", "-")
    return Field(
        name=name,
        kind=_environment_kind(name, kind),
        default=default,
        help=text,
        option=option,
        off_option="--no-" + option[2:] if kind is Kind.BOOL else "",
        takes_value=kind is Kind.BOOL and (optional or default is None),
        choices=choices,
        optional=optional or default is None,
        required=node.value is None,
        group="Settings",
    )


def _environment_kind(name: str, kind: Kind) -> Kind:
    return Kind.ENV if kind is Kind.TEXT and name in ("env_id", "env", "gym_id") else kind


def _annotation(node: ast.expr) -> tuple[Kind, tuple[Any, ...], bool]:
    """Return kind, choices, and whether None is allowed."""
    text = ast.unparse(node)
    if text in _SIMPLE:
        return _SIMPLE[text], (), False
    if isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value).rsplit(".", 1)[-1]
        if outer == "Optional":
            return (*_annotation(node.slice)[:2], True)
        if outer == "Literal":
            items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return Kind.CHOICE, tuple(ast.literal_eval(item) for item in items), False
        if outer == "Annotated" and isinstance(node.slice, ast.Tuple):
            return _annotation(node.slice.elts[0])
        if outer.lower() in ("list", "tuple", "sequence"):
            return Kind.LIST, (), False
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [side for side in (node.left, node.right) if ast.unparse(side) != "None"]
        if len(sides) == 1:
            return (*_annotation(sides[0])[:2], True)
    return Kind.TEXT, (), False


# -- argparse --------------------------------------------------------------------------------


def _argparse_fields(tree: ast.Module, scope: Scope) -> list[Field]:
    fields = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "add_argument"
        ):
            field = _argparse_field(node, scope)
            if field is not None:
                fields.append(field)
    return fields


def _argparse_field(call: ast.Call, scope: Scope) -> Field | None:
    """Return the field of one ``add_argument``; None for positionals and built names."""
    options = [evaluate(arg, scope) for arg in call.args]
    long = [text for text in options if isinstance(text, str) and text.startswith("--")]
    if not long:
        return None
    words = {key.arg: key.value for key in call.keywords if key.arg}
    given = {key: evaluate(value, scope) for key, value in words.items()}
    name = given.get("dest") or long[0][2:].replace("-", "_")
    action = given.get("action")
    kind = _argparse_kind(words.get("type"), action, given)
    default = given.get("default")
    if action in ("store_true", "store_false") and default is None:
        default = action == "store_false"
    return Field(
        name=name,
        kind=_environment_kind(name, kind),
        default=default,
        help=" ".join(str(given.get("help") or "").replace("%(default)s", str(default)).split()),
        option=long[0] if action != "store_false" else "",
        off_option=long[0] if action == "store_false" else _negation(words, long[0]),
        takes_value=kind is Kind.BOOL and action is None,
        choices=tuple(given["choices"]) if isinstance(given.get("choices"), (list, tuple)) else (),
        optional=default is None,
        required=bool(given.get("required")),
        group="Settings",
    )


def _negation(words: dict[str, ast.expr], option: str) -> str:
    action = words.get("action")
    if action is not None and ast.unparse(action).endswith("BooleanOptionalAction"):
        return "--no-" + option[2:]
    return ""


def _argparse_kind(of_type: ast.expr | None, action: Any, given: dict[str, Any]) -> Kind:
    if isinstance(given.get("choices"), (list, tuple)):
        return Kind.CHOICE
    if action in ("store_true", "store_false"):
        return Kind.BOOL
    if given.get("nargs") in ("+", "*") or isinstance(given.get("nargs"), int):
        return Kind.LIST
    text = ast.unparse(of_type) if of_type is not None else ""
    if text in _SIMPLE:
        return _SIMPLE[text]
    if "bool" in text or isinstance(given.get("default"), bool):
        return Kind.BOOL
    return Kind.TEXT


# -- values ----------------------------------------------------------------------------------


def evaluate(node: ast.expr, scope: Scope) -> Any:
    """Return the value of a default's expression, or UNKNOWN where only running would tell.

    Knows literals, arithmetic on them, and CleanRL's ``os.path.basename(__file__)`` idiom.
    """
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError):
        return _calculated(node, scope)


def _calculated(node: ast.expr, scope: Scope) -> Any:
    text = ast.unparse(node)
    if text.startswith("os.path.basename(__file__)"):
        name = os.path.basename(scope.script)
        return name if text.endswith("(__file__)") else name.removesuffix(".py")
    if isinstance(node, ast.Name) and node.id in scope.names:
        return _constant(scope.names[node.id])
    if isinstance(node, ast.BinOp):
        return _arithmetic(node, scope)
    if isinstance(node, ast.Call):
        return _factory(node, scope)
    return UNKNOWN


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError):
        return UNKNOWN


def _arithmetic(node: ast.BinOp, scope: Scope) -> Any:
    left, right = evaluate(node.left, scope), evaluate(node.right, scope)
    if not all(isinstance(side, (int, float)) for side in (left, right)):
        return UNKNOWN
    if isinstance(node.op, ast.Mult):
        return left * right
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    if isinstance(node.op, ast.Div) and right:
        return left / right
    if isinstance(node.op, ast.Pow) and abs(left) <= 1000 and abs(right) <= 64:
        return left**right
    return UNKNOWN


def _factory(node: ast.Call, scope: Scope) -> Any:
    """Return what ``int(1e6)``, ``float("inf")`` or ``field(default=…)`` gives."""
    function = ast.unparse(node.func)
    if function in ("int", "float") and len(node.args) == 1 and not node.keywords:
        inner = evaluate(node.args[0], scope)
        try:
            return {"int": int, "float": float}[function](inner)
        except (TypeError, ValueError, OverflowError):
            return UNKNOWN
    words = {key.arg: key.value for key in node.keywords}
    if "default" in words:
        return evaluate(words["default"], scope)
    made = words.get("default_factory")
    if isinstance(made, ast.Lambda):
        return evaluate(made.body, scope)
    return [] if made is not None and ast.unparse(made) == "list" else UNKNOWN
