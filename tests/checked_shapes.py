"""Checks the shapes of tensors and arrays while the tests run.

`tests/conftest.py` calls `check_shapes` before anything of the package is imported. From then on every function whose
annotations give a shape (``Float[Tensor, "batch width"]``) is wrapped by jaxtyping and beartype when its module has
been imported: what goes in and what comes out must have the type, the number of dimensions and the kind of numbers
that it says, and a name of a dimension means one size within a call.

jaxtyping's own import hook would wrap all functions, those without shapes too. That costs 5 s in every process of the
suite and .06 ms in every call, half as much again as the small models of the tests cost themselves; mypy checks the
other annotations. Child processes are not checked: the tests of this process call the same functions.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import FunctionType, ModuleType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from beartype import BeartypeConf, beartype
from beartype.vale import Is
from jaxtyping import AbstractArray, jaxtyped

PACKAGE = "nas_fusion"

as_annotated: Callable[[Any], Any] = jaxtyped(typechecker=beartype(conf=BeartypeConf(is_pep484_tower=True)))
"""Wraps a function in a check; an integer is good where a float is asked for, as PEP 484 says."""


class CheckingLoader(SourceFileLoader):
    """Loads a module and wraps what in it gives shapes."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then wrap."""
        super().exec_module(module)
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", None) == module.__name__:
                if isinstance(value, FunctionType):
                    setattr(module, name, checked(value))
                elif inspect.isclass(value) and value.__qualname__ == name:
                    check_class(value)


class Finder:
    """Finds the package's modules for `CheckingLoader`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """As of `importlib.abc.MetaPathFinder`."""
        if name.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = CheckingLoader(spec.loader.name, spec.loader.path)
        return spec


def check_class(owner: type) -> None:
    """Wrap the methods of a class, and its ``__init__`` if it is a data class with shapes among its fields."""
    for name, value in list(vars(owner).items()):
        if isinstance(value, (classmethod, staticmethod)):
            setattr(owner, name, type(value)(checked(value.__func__)))
        elif isinstance(value, FunctionType):
            setattr(owner, name, checked(value))


def checked(function: Any) -> Any:
    """The function, with a check if its annotations give a shape."""
    if not gives_shapes(function):
        return function
    hints = get_type_hints(function, include_extras=True)
    function.__annotations__ = {name: all_elements(hint) for name, hint in hints.items()}
    return as_annotated(function)


def all_elements(hint: Any) -> Any:
    """An annotation whose lists are checked element by element.

    beartype looks at one element, drawn by Python's `random`: it would miss most wrong ones, and shift the random
    numbers of what is tested. Elements without a shape are not looked at.
    """
    parts = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(map(all_elements, parts))]  # noqa: UP007
    if get_origin(hint) in (Sequence, list):
        if not holds_shape(parts[0]):
            return get_origin(hint)
        return Annotated[get_origin(hint), Is[lambda values: all(isinstance(value, parts[0]) for value in values)]]
    return hint


def gives_shapes(function: Any) -> bool:
    """Whether one of a function's annotations names a type with a shape."""
    names = {name for text in function.__annotations__.values() for name in re.findall(r"\w+", str(text))}
    return any(holds_shape(function.__globals__.get(name)) for name in names)


def holds_shape(value: object) -> bool:
    """Whether a type, or a part of it, is one of jaxtyping's."""
    if inspect.isclass(value) and (
        issubclass(value, AbstractArray) or value.__module__.partition(".")[0] == "jaxtyping"
    ):
        return True
    return any(map(holds_shape, get_args(value)))


def check_shapes() -> None:
    """Check what is imported of the package from here on.

    Raises:
        RuntimeError: something of the package is already imported, and would go unchecked.
    """
    early = sorted(name for name in sys.modules if name.partition(".")[0] == PACKAGE)
    if early:
        raise RuntimeError(f"imported before the checks were on: {', '.join(early[:5])}")
    sys.meta_path.insert(0, Finder)
