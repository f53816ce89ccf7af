"""The images of a host: pulled, pushed, recorded, and removed when nothing uses them."""
