"""What moto lacks or does otherwise than AWS, each patch with what AWS really does.

moto answers most of AWS's API. Where it has no answer, or forgets a field that it was given, the
provider sees a difference that AWS would not show. Each module here is named as moto names the
service, and has a function `apply` that adds to moto's own classes.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from moto.core.common_models import BaseModel


def let_go_of_what_is_gone() -> None:
    """Has moto keep what it knows once, and not in a list of all that it ever made, too.

    It is for a page of moto's, which shows nothing then; no service reads it but to end.
    """

    def new(cls: Any, *_: Any, **__: Any) -> Any:
        return object.__new__(cls)

    BaseModel.__new__ = new


def apply_patches(service: str) -> None:
    """Patches a service, by moto's name of it; to be called once, before its first use.

    Only then is moto's code for the service loaded, which takes most of a second for some.
    """
    name = f"{__name__}.{service}"
    if service.isidentifier() and find_spec(name):
        import_module(name).apply()
