"""The plugins of the scheduling framework, one module each, with upstream's name where the rule is upstream's."""
