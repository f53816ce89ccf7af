"""The Dockerfile that is shown is the one that is built."""

from pathlib import Path

from reconciler.nodes.images.proxy_image import DOCKERFILE

PAGE = Path(__file__).parents[3] / "docs/how-to/proxy-image.md"


def test_the_page_shows_what_is_built() -> None:
    assert f"```dockerfile\n{DOCKERFILE}```\n" in PAGE.read_text()
