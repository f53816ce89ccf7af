"""What one kind of objects is made of: a record that each room of this package fills."""

from typing import Generic, TypeVar

from msgspec import Struct

from reconciler.manifests.admission import Admission
from reconciler.model.desired import Json
from reconciler.model.kinds import Names
from reconciler.planning.controller import Controller
from reconciler.planning.diff import Comparison
from reconciler.planning.workload import Workload
from reconciler.reporting.view import View

T = TypeVar("T")


class Kind(Struct, Generic[T], frozen=True):
    """One kind of objects: its names, its type, and a facet for each engine that handles its objects."""

    names: Names
    type: type[T]
    """The type of its objects in memory."""
    admission: Admission[T] | None = None
    """How manifests of the kind are read and checked; None for objects that only the reconciler makes."""
    workload: Workload[T] | None = None
    """How planning treats its objects, if pods exist for them."""
    controller: Controller[T] | None = None
    """How planning treats its objects, if it gives them something or says how they stand, and no pods exist for
    them."""
    comparison: Comparison | None = None
    """How the changes of its objects are told, where that differs from other kinds."""
    view: View[T] | None = None
    """How its objects are shown; None for what is not an object, and has a table of its own."""

    def encode(self, fields: Json) -> Json:
        """Return the fields of a manifest, made of those of an object of its type."""
        return fields if self.admission is None else self.admission.encode(fields)
