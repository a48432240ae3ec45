"""Synthesis in a second instead of a quarter of a minute, with the stock packages.

The AWS provider's bindings have over two thousand modules, of which an app uses a few dozen. Two
things load all of them: the Python package's `__init__`, which imports every submodule, and the
entry module of its JavaScript half, which requires every file. `enable` makes both lazy:

- a finder ahead of Python's own answers for the provider's package with an empty module whose
  search path is the package's, so that `from cdktf_cdktf_provider_aws.vpc import Vpc` imports that
  submodule alone;
- jsii's Node process starts with `lazy_exports.cjs`, which turns the entry module's exports into
  getters.

Nothing is patched or copied. Whatever does not have the expected shape is left to its stock
behaviour, with one warning.
"""

import gc
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from prod_e import tested_versions

PRELOAD = Path(__file__).with_name("lazy_exports.cjs")
PROVIDERS = ("cdktf_cdktf_provider_aws", "cdktf_cdktf_provider_docker")
STOCK_SWITCH = "PROD_E_STOCK_SYNTHESIS"
"""Set this environment variable to 1 to synthesise as stock cdktf does."""

# Importing it is what starts jsii's Node process, which then serves every other package.
_FIRST_JSII_PACKAGE = "constructs"


class SlowSynthesisWarning(UserWarning):
    """Synthesis takes its stock time, because something below it has changed."""


def enable() -> None:
    """Makes provider imports lazy from here on; a second call changes nothing.

    It changes `sys.meta_path`, the thresholds of the garbage collector, and the variables that keep
    jsii quiet. After an import of cdktf or of a provider it can only do part of it, and says so in
    one warning; `python -m prod_e main.py` comes before every import.
    """
    _silence_jsii()
    if os.environ.get(STOCK_SWITCH) == "1" or any(
        isinstance(finder, _LazyBindings) for finder in sys.meta_path
    ):
        return
    early = [name for name in (_FIRST_JSII_PACKAGE, *PROVIDERS) if name in sys.modules]
    if early:
        _warn(
            f"{', '.join(early)} was imported before the call of prod_e.enable_fast_imports();"
            " call it first, or start the app by `python -m prod_e main.py`"
        )
    sys.meta_path.insert(0, _LazyBindings())
    # The bindings make some hundred thousand objects that never die; looking through them again
    # and again is a tenth of the run.
    gc.set_threshold(200_000, 50, 50)


def _silence_jsii() -> None:
    # jsii tells every Node that its own makers did not test, or no longer support, with a banner
    # of a dozen lines at each start. What was tested here needs none, and `_tell_of_untested` has
    # one line for the others.
    os.environ.setdefault(
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", ",".join(_tested_majors())
    )
    for reason in ("DEPRECATED", "UNTESTED"):
        os.environ.setdefault(f"JSII_SILENCE_WARNING_{reason}_NODE_VERSION", "1")


def _tested_majors() -> Sequence[str]:
    return [version.split(".")[0] for version in tested_versions.read().node]


def _tell_of_untested(node: str) -> None:
    majors = _tested_majors()
    if not tested_versions.covers(majors, node):
        sys.stderr.write(
            f"prod-e: nobody has run this with Node {node} yet (tested: {', '.join(majors)}).\n"
        )


class _LazyBindings(MetaPathFinder):
    """Answers for the provider's packages, and for the import that starts Node."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == _FIRST_JSII_PACKAGE:
            spec = PathFinder.find_spec(fullname, path, target)
            if spec is None or spec.loader is None:
                return None
            spec.loader = _WithPreload(spec.loader)
            return spec
        if fullname in PROVIDERS:
            spec = PathFinder.find_spec(fullname, path, target)
            if spec is None:
                return None
            problem = _unlike_bindings(spec)
            if problem:
                _warn(f"{fullname} {problem}")
                return spec
            lazy = ModuleSpec(fullname, _NotExecuted(), origin=spec.origin, is_package=True)
            lazy.submodule_search_locations = spec.submodule_search_locations
            return lazy
        return None


class _NotExecuted(Loader):
    """Leaves a package empty."""

    def exec_module(self, module: ModuleType) -> None:
        pass


class _WithPreload(Loader):
    """Executes a module while `NODE_OPTIONS` names the preload, for the Node that it starts."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        path = str(PRELOAD).replace("\\", "\\\\").replace('"', '\\"')
        with tempfile.TemporaryDirectory(prefix="prod-e-") as scratch:
            sign = Path(scratch) / "preloaded"
            options = f'{os.environ.get("NODE_OPTIONS", "")} --require "{path}"'.strip()
            with _variables(NODE_OPTIONS=options, PROD_E_PRELOADED=str(sign)):
                self._loader.exec_module(module)
            if sign.exists():
                _tell_of_untested(sign.read_text("utf-8"))
            else:
                _warn(f"importing {module.__name__} did not start Node with {PRELOAD.name}")


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    """Sets environment variables, and puts back what the user had there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _unlike_bindings(spec: ModuleSpec) -> str | None:
    """What keeps a package from being loaded lazily, if anything does."""
    locations = list(spec.submodule_search_locations or ())
    if not locations:
        return "is not a package"
    if not (Path(locations[0]) / "_jsii" / "__init__.py").is_file():
        return "does not load its JavaScript half from `_jsii`"
    provider = Path(locations[0]) / "provider" / "__init__.py"
    if not provider.is_file() or "from .._jsii import" not in provider.read_text("utf-8"):
        return "has submodules that do not load the JavaScript half themselves"
    return None


def _warn(found: str) -> None:
    warnings.warn(f"synthesis will be slow: {found}", SlowSynthesisWarning, stacklevel=3)
