"""One file: from its bytes to typed objects, or to the reasons why not."""
