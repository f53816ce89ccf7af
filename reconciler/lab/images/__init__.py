"""The lab's container images, built from Debian packages: nothing is pulled from a registry."""

from reconciler.lab.images.cache import ImageSet, ensure_images

__all__ = ["ImageSet", "ensure_images"]
