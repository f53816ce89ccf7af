"""A Secret: confidential values that pods read as variables or as files."""

from reconciler.kinds.kind import Kind
from reconciler.model.kinds import Names
from reconciler.model.objects import Secret

SECRET = Kind(names=Names(kind="Secret", plural="secrets"), type=Secret)
