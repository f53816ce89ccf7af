"""What every plan follows: the kinds that there are, and what a person allows."""

from reconciler.kinds import COMPARISONS, CONTROLLERS, WORKLOADS
from reconciler.planning import Options, Rules


def rules_with(options: Options) -> Rules:
    """Return the rules of a run, or of a dry run, with these options."""
    return Rules(WORKLOADS, CONTROLLERS, COMPARISONS, options)
