"""A ConfigMap: configuration that pods read as variables or as files."""

from reconciler.kinds.kind import Kind
from reconciler.model.kinds import Names
from reconciler.model.objects import ConfigMap

CONFIG_MAP = Kind(names=Names(kind="ConfigMap", plural="configmaps", short=("cm",)), type=ConfigMap)
