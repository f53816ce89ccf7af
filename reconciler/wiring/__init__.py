"""Joins the packages to each other and to the outside world: the only place that knows everybody.

A command imports the module for what it does: `reading` for manifests and state, `hosts` for what is on hosts,
`rules` for planning, `loop` for the control loop. The libraries that one of them needs cost the others nothing.
"""
