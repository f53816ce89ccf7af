"""A Secret: confidential values that pods read as variables or as files."""

from reconciler.kinds.core.secret_admission import SECRET_ADMISSION
from reconciler.kinds.kind import Kind
from reconciler.model.api.core.config import Secret
from reconciler.model.kinds import Names
from reconciler.planning.diff import Comparison
from reconciler.reporting.view import Column, View, age_column, name_column

SECRET = Kind(
    names=Names(kind="Secret", plural="secrets"),
    type=Secret,
    admission=SECRET_ADMISSION,
    comparison=Comparison(by_key=("data", "stringData"), confidential=("data", "stringData")),
    view=View(columns=(name_column(), Column("DATA", lambda one, _: str(len(one.data)), "integer"), age_column())),
)
