"""A ConfigMap: configuration that pods read as variables or as files."""

from reconciler.kinds.core.config_map_admission import CONFIG_MAP_ADMISSION
from reconciler.kinds.kind import Kind
from reconciler.model.api.core.config import ConfigMap
from reconciler.model.kinds import Names
from reconciler.planning.diff import Comparison
from reconciler.reporting.view import Column, View, age_column, name_column

CONFIG_MAP = Kind(
    names=Names(kind="ConfigMap", plural="configmaps", short=("cm",)),
    type=ConfigMap,
    admission=CONFIG_MAP_ADMISSION,
    comparison=Comparison(by_key=("data", "binaryData")),
    view=View(columns=(name_column(), Column("DATA", lambda one, _: str(len(one.data)), "integer"), age_column())),
)
