"""An Event: something that happened to an object. The reconciler records them; no manifest holds any."""

from reconciler.kinds.kind import Kind
from reconciler.model.kinds import Names
from reconciler.model.records import Event

EVENT = Kind(names=Names(kind="Event", plural="events", short=("ev",)), type=Event)
