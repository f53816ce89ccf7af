"""Programs for those who work on reconciler itself; none of them ships."""
