"""What Prometheus is told: how services do, as every node's HAProxy counts it, and how the control loop does.

Nothing is read until somebody asks. `wiring` makes a `MetricsServer` where `reconciler run --metrics` wants one.
"""

from reconciler.metrics.collector import registry_of
from reconciler.metrics.scraping import Scraper
from reconciler.metrics.server import CannotListen, MetricsServer

__all__ = ["CannotListen", "MetricsServer", "Scraper", "registry_of"]
