"""The control loop: watches, plans, acts, and sleeps until something happens."""
