"""Docker's API over SSH: requests, replies, streams and events."""
