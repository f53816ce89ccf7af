"""The parts of a page that shows everything known of one object, laid out as `kubectl describe` does."""
