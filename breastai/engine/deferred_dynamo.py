"""torch's compiler, dynamo, imported by the first that compiles and not by the first that asks to be left out of it.

torchvision and timm ask so while they are imported, torch's optimizers and dispatch modes at their first use, and dynamo
comes with some 500 modules. Nothing here is compiled. Whatever asks more of it gets the real one, as ever.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_DYNAMO, _UTILS = "torch._dynamo", "torch._dynamo.utils"


class DeferredModule(ModuleType):
    """Stands in `sys.modules` for a module until something is asked of it that is not set here."""

    def __getattr__(self, name: str) -> Any:
        # Who looks through all modules (inspect does) asks for nothing of this one; an import of one in dynamo needs its path.
        if name.startswith("__") and (self.__name__, name) != (_DYNAMO, "__path__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_real(self.__name__), name)


def import_real(name: str) -> ModuleType:
    """Return dynamo, or its `utils`, itself; from now on everybody gets that one."""
    for each in (_DYNAMO, _UTILS):
        if isinstance(sys.modules.get(each), DeferredModule):
            del sys.modules[each]
    import torch._dynamo.utils  # noqa: F401 - and with it dynamo

    return sys.modules[name]


def defer_dynamo() -> None:
    """Let nobody import dynamo for what can be answered without it; does nothing where it is imported already."""
    if _DYNAMO in sys.modules:
        return
    dynamo, utils = DeferredModule(_DYNAMO), DeferredModule(_UTILS)
    vars(dynamo).update(disable=_disable, graph_break=_break_graph)
    vars(utils)["is_compile_supported"] = _is_compile_supported
    sys.modules[_DYNAMO], sys.modules[_UTILS] = dynamo, utils


def _disable(fn: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:
    """As `torch._dynamo.disable`: the function that is not to be compiled, or what decorates one."""
    return (lambda decorated: decorated) if fn is None else fn


def _break_graph(*_: Any, **__: Any) -> None:
    """As `torch._dynamo.graph_break` outside of what is compiled: nothing."""


def _is_compile_supported(device_type: Any) -> Any:
    """As torchvision's operators for detection ask it when they are called."""
    return import_real(_UTILS).is_compile_supported(device_type)
